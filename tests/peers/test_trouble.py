"""A connection to npm's SMSC that breaks in every way: acknowledged messages are stored once, sent messages leave and
are charged once, and the link recovers by itself."""

import os
import random
from collections import Counter
from collections.abc import Callable

import pytest

from dtmf_server.carriers.smpp import link
from dtmf_server.core.restart_policy import RestartPolicy
from dtmf_server.core.sms_segments import segments
from dtmf_server.operations import account
from harness import START_US
from peers.line import NEVER, Line, Trouble, line
from smpp.conftest import COINS, Bound
from smpp.smsc import Smsc

BIND, BIND_RESPONSE = 39, 20  # octets of our bind_transceiver and npm's response
SEED = int(os.environ.get("DTMF_TEST_SEED", "7"))
FEW, MANY, SENT = 30, 600, 12  # SMS
BROKEN = 60  # connections


def anything(chance: random.Random) -> Trouble:
    """Return random faults: the connection breaks at once or after dozens of PDUs, or is slow. Garbage is only inserted
    between PDUs: inside one it can't be distinguished from its content."""
    if chance.random() < 0.2:
        return Trouble(down=BIND_RESPONSE, garbage=chance.randbytes(40))
    up = chance.choice([chance.randrange(BIND + 60), chance.randrange(3000), NEVER])
    down = chance.choice([chance.randrange(200), chance.randrange(9000)])
    return Trouble(up=up, down=down, resets=chance.random() < 0.7, piece=chance.choice([1, 7, 100, 1 << 16]))


CASES: dict[str, list[Trouble]] = {
    "reset before the bind": [Trouble(up=0)] * 3,
    "reset within the bind": [Trouble(up=BIND - 1)] * 3,
    "closed after the bind": [Trouble(down=BIND_RESPONSE, resets=False)] * 3,
    "reset after the bind": [Trouble(down=BIND_RESPONSE)] * 3,
    "reset within the first deliver_sm": [Trouble(down=BIND_RESPONSE + cut) for cut in (1, 15, 16, 40, 80)],
    "reset within a deliver_sm": [Trouble(down=BIND_RESPONSE + cut) for cut in (1000, 2011, 1513)],
    "reset within our answers": [Trouble(up=BIND + cut) for cut in (1, 16, 17, 100, 333)],
    "closed within our answers": [Trouble(up=BIND + cut, resets=False) for cut in (1, 16, 17, 100, 333)],
    "garbage in place of a PDU": [Trouble(down=BIND_RESPONSE, garbage=b"HTTP/1.1 502 Bad Gateway\r\n\r\n")] * 2,
    "garbage of zeros": [Trouble(down=BIND_RESPONSE, garbage=bytes(64))] * 2,
    "an octet at a time": [Trouble(piece=1)],
    "slow": [Trouble(piece=50, pause_s=0.005)],
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that reconnect after a moment."""
    monkeypatch.setattr(link, "RESTARTS", RestartPolicy(first_s=0.02, max_s=0.1, steady_s=60))
    monkeypatch.setattr(link, "REFUSED", RestartPolicy(first_s=0.02, max_s=30, steady_s=60))


def texts(count: int) -> list[tuple[str, list[dict[str, object]]]]:
    """Return unique texts with their deliver_sm PDUs. Every third text has three parts."""
    made = []
    for n in range(count):
        text, parts = f"Your code is {n:06}", []
        if n % 3:
            parts = [{"data_coding": 0, "short_message": text}]
        else:
            for number in (1, 2, 3):
                header = {"hex": bytes((6, 8, 4, n >> 8, n & 0xFF, 3, number)).hex()}
                message = {"udh": header, "message": f"{text} {number} "}
                parts.append({"data_coding": 8, "short_message": message})
            text = "".join(f"{text} {number} " for number in (1, 2, 3))
        made.append((text, parts))
    return made


def spool(bound: Bound, count: int) -> list[str]:
    """Spool SMS at the SMSC until each is acknowledged. Returns their texts."""
    addressed = {"source_addr_ton": 1, "source_addr": "4915112345678", "destination_addr": bound.number}
    made = texts(count)
    bound.smsc.do("spool", to="dtmf", sms=[addressed | part for _, parts in made for part in parts])
    return [text for text, _ in made]


def check_received(bound: Bound, expected: list[str]) -> None:
    """Wait until everything is acknowledged, and check that each message is stored once."""
    bound.smsc.wait("spooled", left=0)
    came = Counter(text for _, text in bound.received())
    absent = [text for text in expected if text not in came]
    mixed = [text for text in came if text not in expected]
    doubled = [text for text, times in came.items() if times > 1]
    print(f"{len(expected)} acknowledged: {len(absent)} absent, {len(mixed)} mixed, {len(doubled)} shown twice")
    assert (absent, mixed, doubled) == ([], [], [])


def check_sent(bound: Bound, sent: dict[int, str]) -> None:
    """Check that each message left at most once: it was sent, or is in doubt if the line broke first. All are charged."""

    def every_one_has_left() -> bool:
        bound.db.write_blocking(lambda tx: tx.run("UPDATE deliveries SET due_at_us = 0 WHERE state = 'waiting'"))
        bound.db.wakeups.notify({"deliveries"})
        left = "SELECT count(*) AS n FROM messages WHERE status IN ('sent', 'in_doubt')"
        return bound.rows(left)[0]["n"] == len(sent)

    bound.eventually(every_one_has_left)
    bound.smsc.pdus_so_far(lambda pdu: False)
    seen = Counter(event["text"] for event in bound.smsc.seen if event["event"] == "sms")
    taken = {sent[row["id"]] for row in bound.rows("SELECT id FROM messages WHERE status = 'sent'")}
    print(f"{len(sent)} sent, {len(sent) - len(taken)} of them in doubt: {sum(seen.values()) - len(seen)} came twice")
    assert taken <= set(seen) <= set(sent.values())
    assert set(seen.values()) <= {1}
    balance = bound.db.read_blocking(lambda tx: account.balance(tx, bound.account_id, now_us=START_US))
    assert balance == COINS - sum(1000 * segments(text).count for text in sent.values())


def play(bind: Callable[..., Bound], smsc: Smsc, befalls: list[Trouble], *, count: int, binds: int = 1) -> Line:
    """Receive and send SMS over a line with these faults, which works after them."""
    with line(smsc.port, lambda number: befalls[number] if number < len(befalls) else Trouble()) as troubled:
        bound = bind(port=troubled.port, wait=False, binds=("transceiver",) * binds)
        expected = spool(bound, count)
        sent = {bound.sends(f"Sent {n}", to=f"+316123456{n:02}"): f"Sent {n}" for n in range(SENT)}
        check_received(bound, expected)
        check_sent(bound, sent)
        bound.stop()
        return troubled


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("case", CASES)
def test_nothing_is_lost_or_duplicated_on_a_bad_connection(bind: Callable[..., Bound], smsc: Smsc, case: str) -> None:
    befalls = CASES[case]
    troubled = play(bind, smsc, befalls, count=FEW)
    broken = [trouble for trouble in befalls if trouble.up < NEVER or trouble.down < NEVER]
    assert troubled.connections > len(broken)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("binds", [1, 3])
def test_nothing_is_lost_or_duplicated_on_a_connection_that_keeps_breaking(
    bind: Callable[..., Bound], smsc: Smsc, binds: int
) -> None:
    print(f"DTMF_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    troubled = play(bind, smsc, [anything(chance) for _ in range(BROKEN)], count=MANY, binds=binds)
    print(f"{troubled.connections} connections")
    assert troubled.connections > BROKEN


@pytest.mark.usefixtures("quick")
def test_a_carrier_that_is_down_is_reported_and_messages_wait_for_it(bind: Callable[..., Bound], smsc: Smsc) -> None:
    with line(smsc.port, lambda number: Trouble()) as troubled:
        bound = bind(port=troubled.port)
        troubled.cut()
        expected = spool(bound, FEW)
        sent = {bound.sends("while down"): "while down"}
        (row,) = bound.eventually(lambda: bound.rows("SELECT reason FROM deliveries WHERE reason IS NOT NULL"))
        assert row["reason"] == "the carrier's link is down"
        bound.eventually(lambda: "can't connect" in bound.carrier.traffic()[0].reason)
        troubled.restore()
        check_received(bound, expected)
        check_sent(bound, sent)
        bound.stop()


def test_a_slow_smsc_that_responds_out_of_order_gets_everything_once(bind: Callable[..., Bound], smsc: Smsc) -> None:
    bound = bind(window=4)
    smsc.do("set", answer_ms=30)
    slow = {bound.sends(text): text for text in (f"slowly {n} " * 60 for n in range(SENT))}
    check_sent(bound, slow)
    smsc.do("set", answer_ms=0, backwards=True)  # the second of every two segments first
    check_sent(bound, slow | {bound.sends(text): text for text in (f"backwards {n} " * 46 for n in range(SENT))})
    assert len([event for event in smsc.seen if event["event"] == "sms"]) == 2 * SENT
