"""Row 25 for a modem under gammu-smsd: more than 20 faults on both engines, in a random order.

Processed means stored, once, for the renter of its time; an SMS is written to smsd once, and what was sent was paid.
`chosen` decides how many are tried.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dtmf_server.carriers.gammu import carrier as gammu_carrier
from dtmf_server.carriers.gammu import database, inbox, tables
from dtmf_server.carriers.gammu.carrier import GammuCarrier
from dtmf_server.carriers.gammu.settings import GammuSettings
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.operations import ingest
from dtmf_server.storage.db import Database
from harness import FakeWall
from postgres import drop_database, fresh_database
from support.carrier_lines import context_of
from support.carrier_world import SEED, SUBMIT_STEPS, World, chosen, install
from support.providers.gammu import Smsd
from support.twilio_carrier import OURS

RECEIVE_STEPS = ["read", "storing", "kept", "marking", "marked"]
SEND_STEPS = [*SUBMIT_STEPS, "writing"]


class Modem:
    """A world and its smsd. An SMS that is processed in `inbox` is acknowledged."""

    def __init__(self, smsd: Smsd, db: Database, wall: FakeWall) -> None:
        self.smsd, self.wall, self.taken = smsd, wall, list[str]()
        smsd.alive(wall())
        self.world = World(db, wall, self.new_carrier)
        self.world.tick = self.tick
        self.is_up = True
        self.cut_at: str | None = None  # the step at which the connection to smsd's database breaks

    def new_carrier(self) -> GammuCarrier:
        modems = {"modem1": OURS, "modem2": "+12025550101"}
        settings = GammuSettings(
            name="modems", kind="gammu", database=self.smsd.database, modems=modems, time_zone="UTC", poll_ms=50
        )
        self.smsd.alive(self.wall())
        return GammuCarrier(settings, context_of(self.wall, None))

    def tick(self) -> None:
        """Let smsd send what waits, and show that it runs the modem."""
        if self.is_up:
            self.smsd.alive(self.wall())
            self.taken += self.smsd.send()

    def receives(self, text: str, **row: Any) -> int:
        """Let the modem receive an SMS now."""
        return self.smsd.receive(text, at_us=self.wall(), **row)

    def new(self, of: str, **row: Any) -> str:
        """Let a true SMS arrive."""
        text = self.world.arrives(self.world.text(of))
        self.receives(text, **row)
        return text

    def is_read(self) -> bool:
        """Return whether every SMS is processed. Note those that are."""
        left = {text for (text,) in self.smsd.execute('SELECT "TextDecoded" FROM inbox WHERE "Processed" = \'false\'')}
        every = {text for (text,) in self.smsd.execute('SELECT "TextDecoded" FROM inbox')}
        self.world.acknowledged |= every - left
        return not left

    def reads(self) -> None:
        """Wait until every SMS is processed."""
        self.world.eventually(self.is_read)

    def sends(self, of: str, *statuses: str) -> None:
        """Send an SMS, and wait for its status."""
        self.world.settles(self.world.sends(of), *(statuses or ("sent", "delivered")))

    def step(self, name: str, execute: database.Execute) -> None:
        """In a transaction of smsd's database: kill the process, or cut the connection."""
        self.world.step(name)
        if self.cut_at == name:
            self.cut_at = None
            if self.smsd.is_postgresql:
                execute("SELECT pg_terminate_backend(pg_backend_pid())")
            else:
                self.world.carrier._database._connection.close()  # type: ignore[attr-defined]  # of this kind

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Install the steps in smsd's database."""
        mark, enqueue, unprocessed = tables.mark_processed, tables.enqueue, tables.unprocessed
        store = inbox.Inbox._store

        def dying_mark(execute: database.Execute, rows: Any) -> None:
            mark(execute, rows)
            self.step("marking", execute)

        def dying_enqueue(execute: database.Execute, *arguments: Any, **named: Any) -> int:
            id_ = enqueue(execute, *arguments, **named)
            self.step("writing", execute)
            return id_

        def dying_unprocessed(execute: database.Execute, *arguments: Any, **named: Any) -> Any:
            self.step("reading", execute)
            return unprocessed(execute, *arguments, **named)

        async def dying_store(*arguments: Any) -> None:
            await store(*arguments)
            self.world.step("marked")

        patch.setattr(tables, "mark_processed", dying_mark)
        patch.setattr(tables, "enqueue", dying_enqueue)
        patch.setattr(tables, "unprocessed", dying_unprocessed)
        patch.setattr(inbox.Inbox, "_store", dying_store)


def inserted_twice(modem: Modem) -> None:
    text = modem.new("inserted twice")
    modem.receives(text)
    modem.reads()
    modem.receives(text)
    modem.reads()


def inserted_again_in_the_next_rental(modem: Modem) -> None:
    text, at_us = modem.new("inserted again"), modem.wall()
    modem.reads()
    modem.world.change_renter()
    modem.smsd.receive(text, at_us=at_us)
    modem.reads()


def late(modem: Modem) -> None:
    modem.world.stop()
    modem.new("late")
    modem.world.change_renter()
    modem.world.start()
    modem.reads()


def unreadable(modem: Modem) -> None:
    for row in ({"udh": "ZZ"}, {"udh": "05000301"}, {"coding": "Unicode_Compression"}, {"udh": "FF" * 70}):
        modem.new("unreadable", **row)
    modem.reads()


def no_hexadecimal(modem: Modem) -> None:
    text = modem.new("no hexadecimal")
    modem.smsd.execute('UPDATE inbox SET "Text" = \'0\' WHERE "TextDecoded" = ?', text)
    modem.reads()


def oversized(modem: Modem) -> None:
    text = modem.world.arrives(modem.world.text("oversized") + "x" * 70_000)
    modem.receives(text)
    modem.reads()


def lone_part(modem: Modem) -> None:
    text = modem.world.text("a part of nothing")
    modem.world.arrives(text + "[…]")  # as it is shown once no other part is expected
    modem.receives(text, udh="050003AA0201", text_decoded="")
    modem.reads()


def without_a_renter(modem: Modem) -> None:
    modem.receives(modem.world.text("of the other modem"), phone_id="modem2")
    modem.reads()


def another_program(modem: Modem) -> None:
    id_ = modem.receives(modem.world.text("of another program"), phone_id="other")
    modem.new("beside another program")
    modem.world.eventually(lambda: modem.smsd.unprocessed() == [id_])
    modem.smsd.execute('DELETE FROM inbox WHERE "ID" = ?', id_)


def tables_away(modem: Modem) -> None:
    modem.smsd.execute("ALTER TABLE inbox RENAME TO away")
    modem.world.eventually(lambda: modem.world.carrier.traffic()[0].state == "down")
    modem.smsd.execute("ALTER TABLE away RENAME TO inbox")
    modem.new("after tables were away")
    modem.reads()


def recreated(modem: Modem) -> None:
    modem.new("before the database was recreated")
    modem.reads()
    modem.smsd.recreate()
    modem.tick()
    modem.new("after the database was recreated")
    modem.reads()


def database_away(modem: Modem) -> None:
    with pytest.MonkeyPatch.context() as patch:
        tried = []

        def away(*_: object, **__: object) -> None:
            tried.append(1)
            raise StorageUnavailable("away")

        patch.setattr(ingest, "ingest_batch", away)
        modem.new("database away")
        modem.world.eventually(lambda: tried)
    modem.reads()


def outage(modem: Modem) -> None:
    modem.world.stop()
    for _ in range(3):
        modem.new("outage")
    modem.wall.advance(seconds=3600)
    modem.world.start()
    modem.reads()


def modem_off(modem: Modem) -> None:
    modem.is_up = False

    def is_down() -> bool:
        modem.wall.advance(seconds=600)
        return not modem.world.carrier.can_submit()

    modem.world.eventually(is_down)
    text = modem.world.sends("modem off")
    modem.wall.advance(seconds=86_400)
    modem.is_up = True
    modem.world.eventually(modem.world.carrier.can_submit)
    modem.world.settles(text, "sent", "delivered")


def killed_reading(step: str) -> Callable[[Modem], None]:
    def killed(modem: Modem) -> None:
        modem.world.kill(step)
        modem.new(f"killed {step}")
        modem.world.revive()
        modem.reads()

    return killed


def killed_sending(step: str) -> Callable[[Modem], None]:
    def killed(modem: Modem) -> None:
        modem.world.kill(step)
        text = modem.world.sends(f"killed {step}")
        modem.world.revive()
        modem.world.settles(text, "sent", "delivered")

    return killed


def cut(step: str) -> Callable[[Modem], None]:
    def is_cut(modem: Modem) -> None:
        modem.cut_at = step
        if step == "writing":
            modem.sends(f"cut {step}")
        else:
            modem.new(f"cut {step}")
            modem.world.eventually(lambda: modem.cut_at is None)
            modem.reads()
        assert modem.cut_at is None

    return is_cut


def commit_without_an_answer(modem: Modem) -> None:
    with pytest.MonkeyPatch.context() as patch:
        do, lost = database.SmsdDatabase.do, []

        async def losing(self: Any, work: Any, *, writes: bool = False) -> Any:
            result = await do(self, work, writes=writes)
            if writes and not lost:
                lost.append(1)
                raise database.SmsdUnavailable("the answer was lost", in_doubt=True)
            return result

        patch.setattr(database.SmsdDatabase, "do", losing)
        modem.sends("commit without an answer")
        assert lost


FAULTS = {
    "inserted twice": inserted_twice,
    "inserted again in the next rental": inserted_again_in_the_next_rental,
    "late across a change of renter": late,
    "unreadable": unreadable,
    "no hexadecimal": no_hexadecimal,
    "oversized": oversized,
    "a part of nothing": lone_part,
    "without a renter": without_a_renter,
    "for another program": another_program,
    "tables away": tables_away,
    "recreated": recreated,
    "database away": database_away,
    "outage": outage,
    "modem off for a day": modem_off,
    "commit without an answer": commit_without_an_answer,
    **{f"killed while receiving, {step}": killed_reading(step) for step in RECEIVE_STEPS},
    **{f"killed while sending, {step}": killed_sending(step) for step in SEND_STEPS},
    **{f"connection cut, {step}": cut(step) for step in ("reading", "marking", "writing")},
}


@pytest.fixture
def modem(request: pytest.FixtureRequest, db: Database, wall: FakeWall, tmp_path: Path) -> Iterator[Modem]:
    """The service and smsd, both on the same engine."""
    found: list[Modem] = []
    with ExitStack() as stack:
        name = str(tmp_path / "smsd.db")
        if request.node.callspec.params["database_url"] == "postgresql":
            server = request.getfixturevalue("postgres_url")
            name = fresh_database(server)
            stack.callback(drop_database, server, name)
        smsd = Smsd(name)
        smsd.create()
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        install(patch, lambda: found[0].world)
        patch.setattr(inbox, "REREAD_S", 0.2)
        patch.setattr(gammu_carrier, "LOOK_S", 0.05)
        found.append(Modem(smsd, db, wall))
        found[0].install(patch)
        stack.callback(found[0].world.stop)
        yield found[0]


def test_no_fault_of_a_modem_loses_doubles_or_misroutes_an_sms(modem: Modem, request: pytest.FixtureRequest) -> None:
    engine = request.node.callspec.params["database_url"]
    names = chosen([*FAULTS], engine=engine)
    print(f"\nseed {SEED}")
    for name in names:
        FAULTS[name](modem)
    world = modem.world
    modem.sends("after everything")
    modem.tick()  # smsd sends what is still in its outbox
    broken = world.broken(modem.taken)
    print(f"gammu on {engine}: {len(names)} faults, {world.kills} kills")
    print("".join(f"gammu on {engine}: {count} {what}\n" for what, count in broken.items()))
    assert not any(broken.values()), (SEED, broken)
    assert world.kills == sum("killed" in name for name in names)
