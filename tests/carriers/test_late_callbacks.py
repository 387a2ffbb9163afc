"""Row 8 for every kind: an SMS that is posted an hour, 8 days or 40 days late never reaches the next renter of its number."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from carriers.test_gammu_faults import Modem
from carriers.test_http_faults import KINDS, Station, line_of
from dtmf import DTMF
from dtmf_server.carriers.gammu import inbox
from dtmf_server.operations import verify
from dtmf_server.storage.db import Database
from harness import DAY_US, HOUR_US, FakeWall, new_token
from postgres import drop_database, fresh_database
from support.carrier_world import World, install
from support.providers.gammu import Smsd

DELAYS = {"1 hour": HOUR_US, "8 days": 8 * DAY_US, "40 days": 40 * DAY_US}
ERASED_AFTER_US = 30 * DAY_US
Bring = Callable[[], None]


class Postponed:
    """A kind whose provider keeps SMS back."""

    def __init__(self, world: World, arrive: Callable[[str], Bring]) -> None:
        self.world, self.arrive = world, arrive


def http(station: Station) -> Postponed:
    """Return the kind of a station: its requests are signed when they are posted."""

    def arrive(text: str) -> Bring:
        sms = station.line.arrive(text)

        def bring() -> None:
            assert 200 <= station.brings(sms, text) < 300

        return bring

    return Postponed(station.world, arrive)


def gammu(modem: Modem) -> Postponed:
    """Return smsd, which inserts an SMS late: it was on the SIM."""

    def arrive(text: str) -> Bring:
        at_us = modem.wall()

        def bring() -> None:
            modem.smsd.receive(text, at_us=at_us)
            modem.reads()

        return bring

    return Postponed(modem.world, arrive)


@pytest.fixture(params=[*KINDS, "gammu"])
def postponed(request: pytest.FixtureRequest, db: Database, wall: FakeWall, tmp_path: Path) -> Iterator[Postponed]:
    """The service with a carrier of each kind, on each engine."""
    worlds: list[World] = []
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        install(patch, lambda: worlds[0])
        if request.param == "gammu":
            patch.setattr(inbox, "REREAD_S", 0.2)
            name = str(tmp_path / "smsd.db")
            if request.node.callspec.params["database_url"] == "postgresql":
                server = request.getfixturevalue("postgres_url")
                name = fresh_database(server)
                stack.callback(drop_database, server, name)
            smsd = Smsd(name)
            smsd.create()
            found = gammu(Modem(smsd, db, wall))
        else:
            found = http(Station(line_of(request.param, stack, wall), db, wall))
        worlds.append(found.world)
        stack.callback(found.world.stop)
        yield found


def arrive_to(unowned: list[Bring], postponed: Postponed, text: str) -> None:
    """Let an SMS arrive that belongs to no renter."""
    unowned.append(postponed.arrive(text))


def test_a_late_sms_never_reaches_the_next_renter(postponed: Postponed, request: pytest.FixtureRequest) -> None:
    world, brought, shown = postponed.world, 0, 0
    kind, engine = (request.node.callspec.params[name] for name in ("postponed", "database_url"))
    for delay, late_us in DELAYS.items():
        former = world.owner
        text = world.arrives(world.text(f"{delay} late"))
        bring = postponed.arrive(text)
        unowned = list[Bring]()
        unrented = world.text("for no renter")
        world.change_renter(between=partial(arrive_to, unowned, postponed, unrented))
        world.stop()
        world.wall.advance(us=late_us)
        world.start()
        for post in (bring, bring, *unowned):
            post()
        brought += 3
        with DTMF(new_token(2 if former == world.accounts[0] else 1), base_url=world.url) as following:
            seen = f"{[*following.messages()]} {following.number('+12025550200')} {[*following.transactions()]}"
        shown += (text in seen) + (unrented in seen)
        owners = [row["account_id"] for row in world.rows("SELECT account_id FROM messages WHERE content = :t", t=text)]
        assert owners == [former] or (owners == [] and late_us > ERASED_AFTER_US), delay
    assert world.db.read_blocking(verify.differences) == []
    print(f"\n{kind} on {engine}: {brought} late SMS: {shown} shown to the next renter")
    assert shown == 0
