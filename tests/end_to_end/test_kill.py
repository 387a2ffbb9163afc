"""No acknowledged work is lost and no account is charged twice: `kill -9` at random times, under load.

DTMF_TEST_KILLS sets the number of kills (default 20, and 5 on PostgreSQL), DTMF_TEST_SEED their times.
"""

import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from postgres import fresh_database
from support.inspect import ledger_sum, stored_in
from support.load import FUNDS, GROUP, PER_SMS, Load, Stored, Tally, tally
from support.server_process import Service, command, request

KILLS = {engine: int(os.environ.get("DTMF_TEST_KILLS", few)) for engine, few in (("sqlite", 20), ("postgresql", 5))}
SEED = int(os.environ.get("DTMF_TEST_SEED", "2018"))
OPERATIONS_PER_KILL = 250  # more than the service can do before it dies


def new_load(service: Service, chance: random.Random) -> Load:
    """Create a load on a fresh sandbox: funds, and one number that keeps receiving and sending."""
    url, token = service.url, service.token
    address = request(url, token, "POST", "/addresses").json["address"]
    request(url, token, "POST", "/sandbox/deposit", {"address": address, "amount": FUNDS})
    e164 = request(url, token, "POST", "/numbers", {"group_id": GROUP}).json["e164"]
    return Load(token, chance, e164, address)


def kill_under_load(data: Path, url: str, load: Load, chance: random.Random) -> None:
    """Start and kill the service once. One start in five is killed before any output."""
    with Service(data, "--database", url) as service:
        if chance.random() < 0.2:
            time.sleep(chance.uniform(0.1, 0.9))
            service.kill()
            return
        service.wait_ready()
        load.add(max(0, OPERATIONS_PER_KILL - len(load.waiting)))
        threads = load.run(service.url, until_done=False)
        time.sleep(chance.uniform(0.02, 0.35 if url.startswith("sqlite") else 0.9))
        service.kill()
        for thread in threads:
            thread.join()


def finish(data: Path, url: str, load: Load) -> None:
    """Retry everything unacknowledged with its own key, and stop."""
    with Service(data, "--database", url) as service:
        service.wait_ready()
        for thread in load.run(service.url, until_done=True):
            thread.join()
        assert service.stop() == 0


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_kill_9_at_any_moment_loses_nothing_acknowledged_and_charges_nothing_twice(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    chance, kills = random.Random(SEED), KILLS[engine]
    url = f"sqlite:///{tmp_path / 'dtmf.db'}"
    if engine == "postgresql":
        url = fresh_database(request.getfixturevalue("postgres_url"))
    with Service(tmp_path, "--database", url) as service:
        load = new_load(service.wait_ready(), chance)
        service.kill()
    for _ in range(kills - 1):
        kill_under_load(tmp_path, url, load, chance)
    finish(tmp_path, url, load)

    found = tally(load, stored_in(url, load))
    kinds = Counter(load.kinds[key] for key in load.acked)
    print(f"{engine}, seed {SEED}, {kills} kills: {len(load.acked)} acknowledged {dict(kinds)},")
    print(f"{load.unacknowledged} cut off; {found}, ledger sum {ledger_sum(url)}")
    assert load.refused == []
    assert not load.waiting
    assert len(load.acked) == len(load.kinds)
    assert load.unacknowledged > kills, "the kills came when nothing was under way: they prove nothing"
    assert all(kinds[kind] for kind in ("receive", "send", "rent", "end", "deposit", "address"))
    assert found == Tally(0, 0, 0, 0)
    assert ledger_sum(url) == 0
    verified = command("verify", "--database", url)
    assert verified.code == 0, verified.out


RECEIVED = {("receive", (1, "op-0")): 1}
PAID = ("message_received", "1", PER_SMS)


@pytest.mark.parametrize(
    ("effects", "charges", "due", "expected"),
    [
        (RECEIVED, [PAID], {PAID}, Tally(0, 0, 0, 0)),
        ({}, [], set(), Tally(1, 0, 0, 0)),
        ({("receive", (2, "op-0")): 1}, [], set(), Tally(1, 1, 0, 0)),
        ({**RECEIVED, ("receive", (2, "op-0")): 1}, [PAID], {PAID}, Tally(0, 1, 0, 0)),
        (RECEIVED, [PAID, PAID], {PAID}, Tally(0, 0, 1, 0)),
        (RECEIVED, [PAID, ("message_received", "2", PER_SMS)], {PAID}, Tally(0, 0, 0, 1)),
        (RECEIVED, [], {PAID}, Tally(0, 0, 0, 1)),
        (RECEIVED, [("message_received", "1", PER_SMS + 1)], {PAID}, Tally(0, 0, 0, 2)),
    ],
)
def test_the_tally_detects_losses_duplicates_and_wrong_charges(
    effects: Any, charges: Any, due: Any, expected: Tally
) -> None:
    load = Load("", random.Random(0), "+12", "")
    load.kinds["op-0"] = "receive"
    load.acked["op-0"] = {"id": 1}
    assert tally(load, Stored(Counter(effects), charges, due)) == expected
