"""Row 25 for the carriers that call back: more than 20 faults each, on both engines, in a random order.

Acknowledged means stored, once, for the renter of its time; what was taken was paid, and nothing was sent twice where the
carrier can be asked. `chosen` decides how many are tried.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from dtmf_server.carriers.android import carrier as android_carrier
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.operations import ingest
from dtmf_server.storage.db import Database
from harness import FakeWall
from support.carrier_lines import AndroidLine, Line, TelnyxLine, TwilioLine
from support.carrier_world import CALLBACK_STEPS, SEED, SUBMIT_STEPS, World, chosen, install
from support.providers.android import SimulatedPhone
from support.providers.telnyx import telnyx
from support.providers.twilio import Twilio

KINDS = ["twilio", "telnyx", "android"]
# The name of each fault of a submit at each provider.
SUBMIT_FAULTS = {
    "twilio": {"html": "html_200", "500 after": "500_after", "revoked": "revoked", "garbage": "garbage_after"},
    "telnyx": {"html": "html", "500 after": "500 accepted", "revoked": "20002", "garbage": "truncated"},
    "android": {"html": "html", "500 after": "500 after", "revoked": "401", "garbage": "html lost"},
}


class Station:
    """A world and its provider."""

    def __init__(self, line: Line, db: Database, wall: FakeWall) -> None:
        self.line, self.world = line, World(db, wall, line.carrier)

    def brings(self, sms: object, text: str, **headers: str) -> int:
        """Post the request of an SMS once, signed now."""
        signed, body = self.line.request(sms)
        status = self.line.post(self.world.url, signed | headers, body)
        if 200 <= status < 300:
            self.world.acknowledged.add(text)
        return status

    def new(self, of: str) -> tuple[object, str]:
        """Let an SMS arrive."""
        text = self.world.arrives(self.world.text(of))
        return self.line.arrive(text), text

    def forged(self, of: str) -> tuple[dict[str, str], bytes]:
        """Return a request that the provider never made."""
        text = self.world.text(of)
        self.world.forged.add(text)
        sms, _ = self.new(f"genuine of {of}")
        headers, body = self.line.request(sms)
        return headers, body.replace(b"genuine", b"forgery")


def repeated(station: Station) -> None:
    sms, text = station.new("repeated")
    assert [200 <= station.brings(sms, text) < 300 for _ in range(4)] == [True] * 4


def out_of_order(station: Station) -> None:
    for sms, text in reversed([station.new("out of order") for _ in range(5)]):
        assert 200 <= station.brings(sms, text) < 300


def late(station: Station) -> None:
    sms, text = station.new("late")
    station.world.change_renter()
    assert 200 <= station.brings(sms, text) < 300


def forged(station: Station) -> None:
    headers, body = station.forged("forged")
    assert station.line.post(station.world.url, headers, body) == 403
    assert (
        station.line.post(station.world.url, {"Content-Type": headers["Content-Type"]}, body) in (400, 403)
        if ("Content-Type" in headers)
        else True
    )


def replayed(station: Station) -> None:
    sms, text = station.new("replayed")
    headers, body = station.line.request(sms)
    assert 200 <= station.brings(sms, text) < 300
    station.world.wall.advance(seconds=3600)
    station.line.post(station.world.url, headers, body)


def replayed_to_the_next_renter(station: Station) -> None:
    sms, text = station.new("replayed later")
    headers, body = station.line.request(sms)
    assert 200 <= station.brings(sms, text) < 300
    station.world.change_renter()
    station.line.post(station.world.url, headers, body)
    station.brings(sms, text)


def oversized(station: Station) -> None:
    body = b"Body=" + b"x" * 70_000
    assert station.line.post(station.world.url, station.line.sign(body), body) == 413


def truncated(station: Station) -> None:
    sms, _ = station.new("truncated")
    headers, body = station.line.request(sms)
    assert station.line.post(station.world.url, headers, body[:-30]) in (400, 403)


def wrong_encoding(station: Station) -> None:
    for body in (b"\xff\xfe\x00", b"{" * 5000, b"[]", b"<html>", b""):
        assert station.line.post(station.world.url, station.line.sign(body), body) in (400, 403)


def behind_a_proxy(station: Station) -> None:
    sms, text = station.new("proxy")
    headers = {"Host": "10.0.0.1:8080", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    assert 200 <= station.brings(sms, text, **headers) < 300


def not_ours(station: Station) -> None:
    text = station.world.text("for another number")
    headers, body = station.line.request(station.line.arrive(text, to="+12125550199"))
    assert 200 <= station.line.post(station.world.url, headers, body) < 300


def database_away(station: Station) -> None:
    sms, text = station.new("database away")
    with pytest.MonkeyPatch.context() as patch:

        def away(*_: object, **__: object) -> None:
            raise StorageUnavailable("away")

        patch.setattr(ingest, "ingest_batch", away)
        assert station.brings(sms, text) == 503
    assert 200 <= station.brings(sms, text) < 300


def outage(station: Station) -> None:
    station.world.stop()
    missed = [station.new("outage") for _ in range(3)]
    assert [station.brings(sms, text) for sms, text in missed] == [0, 0, 0]
    station.world.wall.advance(seconds=3600)
    station.world.start()
    assert all(200 <= station.brings(sms, text) < 300 for sms, text in missed)


def killed_callback(step: str) -> Callable[[Station], None]:
    def killed(station: Station) -> None:
        sms, text = station.new(f"killed {step}")
        station.world.kill(step)
        assert station.brings(sms, text) not in range(200, 300)
        station.world.revive()
        assert 200 <= station.brings(sms, text) < 300

    return killed


def settled(station: Station, text: str) -> None:
    unasked = () if station.line.can_be_asked else ("in_doubt",)
    station.world.settles(text, "sent", "delivered", "failed", *unasked)


def failed_submit(fault: str) -> Callable[[Station], None]:
    def failed(station: Station) -> None:
        station.line.fail_submit(SUBMIT_FAULTS[station.line.kind].get(fault, station.line.lost))
        settled(station, station.world.sends(fault))

    return failed


def killed_submit(step: str) -> Callable[[Station], None]:
    def killed(station: Station) -> None:
        station.world.kill(step)
        text = station.world.sends(f"killed {step}")
        station.world.revive()
        settled(station, text)

    return killed


FAULTS = {
    "repeated": repeated,
    "out of order": out_of_order,
    "late across a change of renter": late,
    "forged": forged,
    "replayed": replayed,
    "replayed to the next renter": replayed_to_the_next_renter,
    "oversized": oversized,
    "truncated": truncated,
    "wrong encoding": wrong_encoding,
    "behind a proxy": behind_a_proxy,
    "for a number that is not ours": not_ours,
    "database away": database_away,
    "outage": outage,
    **{f"killed at a callback, {step}": killed_callback(step) for step in CALLBACK_STEPS},
    **{f"submit: {fault}": failed_submit(fault) for fault in ("html", "500 after", "lost", "revoked", "garbage")},
    **{f"killed at a submit, {step}": killed_submit(step) for step in SUBMIT_STEPS},
}


def line_of(kind: str, stack: ExitStack, wall: FakeWall) -> Line:
    """Return the provider of this kind, until the stack is closed."""
    if kind == "twilio":
        return TwilioLine(stack.enter_context(Twilio()), wall)
    if kind == "telnyx":
        return TelnyxLine(stack.enter_context(telnyx()), wall)
    return AndroidLine(stack.enter_context(SimulatedPhone(wall)), wall)


@pytest.fixture(params=KINDS)
def station(request: pytest.FixtureRequest, db: Database, wall: FakeWall) -> Iterator[Station]:
    """The service with a carrier of each kind, on each engine."""
    found: list[Station] = []
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        install(patch, lambda: found[0].world)
        patch.setattr(android_carrier, "PROBE_S", 0.05)
        found.append(Station(line_of(request.param, stack, wall), db, wall))
        stack.callback(found[0].world.stop)
        yield found[0]


def test_no_fault_loses_doubles_or_misroutes_an_sms(station: Station, request: pytest.FixtureRequest) -> None:
    engine = request.node.callspec.params["database_url"]
    names = chosen([*FAULTS], engine=engine)
    print(f"\nseed {SEED}")
    for name in names:
        FAULTS[name](station)
    world, line = station.world, station.line
    world.settles(world.sends("after everything"), "sent", "delivered")
    assert set(line.report(world.url)) <= {200, 204}
    broken = world.broken(line.sent())
    print(f"{line.kind} on {engine}: {len(names)} faults, {world.kills} kills")
    print("".join(f"{line.kind} on {engine}: {count} {what}\n" for what, count in broken.items()))
    assert not any(broken.values()), (SEED, broken)
    assert world.kills == sum("killed" in name for name in names)
    undecided = world.rows("SELECT content FROM messages WHERE status = 'in_doubt'")
    assert not (line.can_be_asked and undecided)
    assert all(row["content"] not in line.sent() for row in undecided)
