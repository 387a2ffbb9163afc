"""Webhooks can't reach inside: what no form allows is never set, and what a name hides is never dialled."""

import json
import sys
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx2
import pytest

import effort
from dtmf import DTMF
from dtmf_server.storage.db import Database
from dtmf_server.webhooks.client import WebhookClient
from harness import FakeWall, new_token, runtime_over, serving
from support.webhook_receiver import refused_port
from support.webhook_steps import (
    DAY_S,
    ON_SQLITE,
    attempts,
    deliveries,
    delivering,
    receive,
    rent,
    rent_now,
    settled,
    storable,
)
from support.webhook_urls import NOT_EVEN_IN_SANDBOX, REFUSED_AT_ADDRESS, REFUSED_AT_FORM, SANDBOX_ONLY

BAD = ["169.254.169.254", "10.0.0.1", "192.168.1.1", "fd00::1", "::ffff:169.254.169.254", "fe80::1", "100.64.0.1"]
ALWAYS_REFUSED = [*REFUSED_AT_FORM, *NOT_EVEN_IN_SANDBOX]


class Dialled:
    """Every address that a socket of this process was connected to while it watched."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.watching = False
        sys.addaudithook(self._heard)  # for good: hooks can't be taken out

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.watching and event == "socket.connect" and isinstance(arguments[1], tuple):
            self.hosts.append(arguments[1][0])


@pytest.fixture(scope="session")
def audit() -> Dialled:
    return Dialled()


@pytest.fixture
def dialled(audit: Dialled) -> Iterator[list[str]]:
    """The addresses that sockets were connected to during this test."""
    audit.hosts, audit.watching = [], True
    yield audit.hosts
    audit.watching = False


@pytest.mark.parametrize("sandbox", [True, False])
@ON_SQLITE
def test_the_api_refuses_every_url_of_the_corpus_by_its_form(
    account: int, db: Database, wall: FakeWall, sandbox: bool
) -> None:
    corpus = ALWAYS_REFUSED if sandbox else [*ALWAYS_REFUSED, *SANDBOX_ONLY]
    assert len(corpus) > 400
    with serving(runtime_over(db, wall=wall, sandbox=sandbox)) as url, DTMF(new_token(), base_url=url) as dtmf:
        number = rent(dtmf)
        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {new_token()}"}) as plain:
            for destination in corpus:
                answer = plain.patch(
                    "/api/v1/number",
                    params={"e164": number},
                    content=json.dumps({"sms_forwarded_to": destination}),
                    headers={"Content-Type": "application/json"},
                )
                assert 400 <= answer.status_code < 500, f"{destination!r} was taken"
                assert answer.headers["content-type"] == "application/problem+json"
        assert dtmf.number(number)["sms_forwarded_to"] is None


@ON_SQLITE
def test_the_client_refuses_or_the_api_does_whatever_it_is_called_with(dtmf: DTMF) -> None:
    number = rent(dtmf)
    for destination in ALWAYS_REFUSED:
        with pytest.raises(ValueError):  # both refusals are one
            dtmf.set_sms_action(number, "webhook", destination)
    assert dtmf.number(number)["sms_forwarded_to"] is None


@ON_SQLITE
async def test_what_was_stored_under_other_rules_is_neither_looked_up_nor_dialled(
    account: int, db: Database, wall: FakeWall, dialled: list[str]
) -> None:
    runtime = runtime_over(db, wall=wall, sandbox=False)
    urls = storable([*ALWAYS_REFUSED, *SANDBOX_ONLY])[:: 1 if effort.WEBHOOKS_THOROUGH else 8]
    numbers = [rent_now(runtime, account, url) for url in urls]
    asked: list[str] = []

    def look_up(name: str) -> list[str]:
        asked.append(name)
        return ["8.8.8.8"]

    dialled.clear()
    async with delivering(runtime, WebhookClient(sandbox=False, lookup=look_up)):
        await receive(runtime, *((number, "never leaves") for number in numbers))
        await settled(runtime)
    assert [(row["attempts"], row["state"]) for row in deliveries(db)] == [(1, "waiting")] * len(urls)
    assert [row["status"] for row in attempts(db)] == [None] * len(urls)
    assert (asked, dialled) == ([], [])


async def test_a_name_with_an_address_that_is_not_public_is_refused_when_it_is_delivered(
    account: int, db: Database, wall: FakeWall, dialled: list[str]
) -> None:
    runtime = runtime_over(db, wall=wall, sandbox=False)
    addresses = dict(zip(REFUSED_AT_ADDRESS[1::2], REFUSED_AT_ADDRESS[::2], strict=True))
    names = {url.split("/")[2]: address for url, address in addresses.items()}
    numbers = [rent_now(runtime, account, url) for url in addresses]
    async with delivering(runtime, WebhookClient(sandbox=False, lookup=lambda name: [names[name]])):
        await receive(runtime, *((number, "never leaves") for number in numbers))
        dialled.clear()
        await settled(runtime)
    assert [row["status"] for row in attempts(db)] == [None] * len(addresses)
    for row, address in zip(attempts(db), addresses.values(), strict=True):
        assert row["reason"].endswith(f"resolves to {address}, which is not a public address")
    assert dialled == []


@ON_SQLITE
async def test_a_name_that_flips_to_an_inner_address_is_dialled_only_where_it_was_vetted(
    account: int, db: Database, wall: FakeWall, dialled: list[str]
) -> None:
    runtime, random = runtime_over(db, wall=wall), Random(effort.WEBHOOKS_SEED)
    print(f"DTMF_WEBHOOKS_SEED={effort.WEBHOOKS_SEED}")
    answers: list[list[str]] = []

    def flip(_: str) -> list[str]:
        good, bad = "127.0.0.1", random.choice(BAD)  # a sandbox may dial loopback, where nobody listens
        answers.append([[good], [bad], [good, bad], [bad, good]][len(answers) % 4])
        return answers[-1]

    url = f"https://flips.example.org:{refused_port()}/"
    numbers = [rent_now(runtime, account, url) for _ in range(40)]
    async with delivering(runtime, WebhookClient(sandbox=True, lookup=flip)):
        dialled.clear()
        while len(answers) < effort.WEBHOOKS_REBINDS:
            await receive(runtime, *((number, "to somewhere") for number in numbers))
            await settled(runtime)
            wall.advance(seconds=DAY_S / 4)
            runtime.db.wakeups.notify({"clock"})
    assert set(dialled) == {"127.0.0.1"}, "connections inside"
    assert len(dialled) >= sum(answer == ["127.0.0.1"] for answer in answers) >= effort.WEBHOOKS_REBINDS // 4
    assert {row["status"] for row in attempts(db)} == {None}
