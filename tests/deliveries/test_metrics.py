"""`/metrics` tells attempts by result, what waits and how long, and what was given up; on a listener of its own."""

import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dtmf import DTMF
from dtmf_server.runtime import metrics
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from support.webhook_receiver import Receiver
from support.webhook_steps import DAY_S, ELSEWHERE, HOUR_S, ON_SQLITE, rent, settle

TOTAL = "dtmf_delivery_attempts_total "
Scrape = Callable[[], dict[str, float]]


@contextmanager
def listening(runtime: Runtime) -> Iterator[Scrape]:
    """What a scrape of the metrics gives: each sample's name and labels, and its value."""
    server = metrics.listen(runtime, host="127.0.0.1", port=0)
    url = f"http://127.0.0.1:{server.server_address[1]}/metrics"

    def scrape() -> dict[str, float]:
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        return {
            " ".join([sample.name, *sample.labels.values()]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    try:
        yield scrape
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def scrape(runtime: Runtime) -> Iterator[Scrape]:
    with listening(runtime) as found:
        yield found


def test_the_queue_and_the_attempts_by_result_can_be_scraped(
    dtmf: DTMF, db: Database, receiver: Receiver, scrape: Scrape
) -> None:
    before = scrape()
    assert before["dtmf_deliveries_waiting"] == before["dtmf_deliveries_oldest_seconds"] == 0
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "delivered")
    settle(dtmf)
    dtmf.sandbox.receive(rent(dtmf, "forward", ELSEWHERE), "+1234", "forwarded")
    settle(dtmf)
    receiver.answer = lambda _: 404
    dtmf.sandbox.receive(number, "+1234", "parked")
    for _ in range(12):
        dtmf.sandbox.advance(HOUR_S)
    receiver.answer = lambda _: 410
    other = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(other, "+1234", "gone")
    settle(dtmf)
    receiver.answer = lambda _: 500
    for _ in range(2):
        dtmf.sandbox.receive(number, "+1234", "waits")
    dtmf.sandbox.advance(DAY_S)
    after = scrape()
    assert (after["dtmf_deliveries_waiting"], after["dtmf_deliveries_parked"]) == (2, 2)
    assert after["dtmf_deliveries_oldest_seconds"] == DAY_S
    made = {name.removeprefix(TOTAL): after[name] - before.get(name, 0) for name in after if name.startswith(TOTAL)}
    assert (made["webhook delivered"], made["webhook parked"], made["webhook gone"]) == (1, 1, 1)
    assert made["webhook retry"] == len(receiver.posted) - 3
    assert made["forward delivered"] == 1


def open_files() -> int:
    """How many files and sockets this process has open."""
    return len(list(Path("/dev/fd").iterdir()))


@ON_SQLITE
def test_a_scrape_leaves_nothing_open(runtime: Runtime, scrape: Scrape) -> None:
    scrape()
    before = open_files()
    for _ in range(20):
        scrape()
    assert open_files() <= before + 1


@ON_SQLITE
def test_metrics_are_not_where_the_api_is(dtmf: DTMF, url: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/metrics", timeout=10)
    assert refused.value.code == 404
    refused.value.close()


@ON_SQLITE
def test_two_listeners_of_one_process_do_not_get_into_each_others_way(runtime: Runtime, scrape: Scrape) -> None:
    with listening(runtime) as other:
        assert other()["dtmf_deliveries_waiting"] == 0
    assert scrape()["dtmf_deliveries_waiting"] == 0
