"""Test whether a one-time code arrives at one of our numbers, for `dtmf-server carriers check --receive`.

1. The number must not be rented, and cannot be rented while the test runs.
2. The process that runs the carriers sends the SMS once (`claim`). No account has it or pays for it.
3. An SMS to the number is the canary if it has the canary's code, or comes from its sender, or if the carrier removed its
   code. It is recognized before it could reach a rental, also when it arrives after the test: a week long.
"""

from collections.abc import Sequence

from dtmf_server.core import canary
from dtmf_server.core.canary import CanaryResult
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.operations import carrier_health
from dtmf_server.storage import canaries, numbers
from dtmf_server.storage.db import Row, Tx

KEPT_US = 7 * DAY_US  # how late a canary may arrive
MARGIN_US = MINUTE_US  # the number is held for so much longer than the test, for a command that was killed
_DIGITS_COMPARED = 9


class CannotTest(Exception):
    """The test can't be made; the message says why and what to do."""


def begin(
    tx: Tx,
    *,
    carrier: str,
    e164: str,
    sender: str | None,
    sent_by: str,
    code: str,
    timeout_us: int,
    now_us: int,
    wall_us: int,
) -> Row:
    """Hold the number and ask for an SMS to it. Without a `sender`, use another number of the carrier that sends.
    Raises CannotTest."""
    number = numbers.lock(tx, e164)
    if number is None:
        raise CannotTest(f"{e164} is not in stock: import it with dtmf-server numbers import")
    if number["rented"]:
        raise CannotTest(
            f"{e164} is rented: an SMS without its code could not be distinguished from one for the renter. Test a free number of"
            " the same kind, or wait until the rental has ended"
        )
    if (number["held_until_us"] or 0) > now_us:
        raise CannotTest(f"{e164} is being tested: wait until that test has ended")
    sender = sender or _sender(tx, sent_by, e164)
    numbers.hold(tx, e164, until_us=now_us + timeout_us + MARGIN_US)
    text = canary.text_of(code)
    id_ = canaries.add(tx, carrier=carrier, e164=e164, sender=sender, sent_by=sent_by, text=text, wall_us=wall_us)
    return _run(tx, id_)


def claim(tx: Tx, *, wall_us: int) -> Row | None:
    """Return the next test to send, which no other caller gets."""
    run = canaries.waiting(tx)
    if run:
        canaries.set_state(tx, run["id"], "submitting", wall_us=wall_us)
    return run


def submitted(tx: Tx, id_: int, *, reason: str = "", wall_us: int) -> None:
    """Record that the carrier has the SMS; with a reason, that it may have it."""
    canaries.set_state(tx, id_, "submitted", reason=reason, wall_us=wall_us)


def not_sent(tx: Tx, id_: int, *, reason: str, wall_us: int) -> None:
    """Record that the carrier does not have the SMS."""
    canaries.set_state(tx, id_, "not_sent", reason=reason, wall_us=wall_us)


def end(tx: Tx, id_: int, *, timed_out: bool, wall_us: int) -> Row:
    """End a test, and return it as it was. If the carrier has the SMS and it did not arrive in time, that is the result."""
    found = _run(tx, id_)
    numbers.lock(tx, found["e164"])
    run = _run(tx, id_)  # the SMS may have arrived meanwhile
    if run["state"] == "submitted" and not run["reason"] and timed_out:
        _put_result(tx, run, CanaryResult.NOTHING, wall_us=wall_us)
    if run["state"] != "over":
        canaries.finish(tx, id_)
        numbers.hold(tx, run["e164"], until_us=None)
    return run


def take(tx: Tx, carrier: str, inbound: Sequence[InboundMessage], *, strays: bool, wall_us: int) -> list[bool]:
    """Return which of these SMS are canaries, and record their arrival.

    `strays`: no account rents their numbers. Otherwise only those with the text of a canary, or without a code, can be one.
    """
    possible = {sms.to for sms in inbound if strays or canary.is_suspect(sms.text, redacted=sms.redacted)}
    runs = canaries.of_numbers(tx, sorted(possible)) if possible else []
    return [bool(runs) and _take(tx, carrier, sms, runs, wall_us=wall_us) for sms in inbound]


def forget(tx: Tx, *, wall_us: int) -> int:
    """Delete the tests whose SMS can't arrive any more. Return how many."""
    return canaries.forget(tx, asked_before_us=wall_us - KEPT_US)


def _take(tx: Tx, carrier: str, sms: InboundMessage, runs: list[Row], *, wall_us: int) -> bool:
    run = next((run for run in runs if run["e164"] == sms.to and _is_canary(sms, run)), None)
    if run is None:
        return False
    result = canary.compare(run["text"], sms.text, redacted=sms.redacted)
    canaries.set_arrived(tx, run["id"], received=sms.text, by=carrier, result=result, wall_us=wall_us)
    _put_result(tx, run, result, wall_us=wall_us)
    if run["state"] != "over":
        numbers.hold(tx, run["e164"], until_us=None)
    runs.remove(run)
    return True


def _is_canary(sms: InboundMessage, run: Row) -> bool:
    """Return whether an SMS is this canary: by its code; without it, by its sender, or because the test is running."""
    if canary.code_of(run["text"]) in sms.text:
        return True
    is_running = run["state"] != "over"
    if sms.redacted and is_running:
        return True
    may_be = is_running or canary.is_suspect(sms.text, redacted=sms.redacted)
    return may_be and _same_number(sms.sender, run["sender"])


def _same_number(one: str, other: str) -> bool:
    """Return whether two senders are the same; carriers write numbers with and without their country code."""
    digits = one.lstrip("+0")[-_DIGITS_COMPARED:]
    return one == other or (
        digits.isdecimal() and len(digits) >= 7 and digits == other.lstrip("+0")[-_DIGITS_COMPARED:]
    )


def _put_result(tx: Tx, run: Row, result: CanaryResult, *, wall_us: int) -> None:
    kind = canary.kind_of(run["sender"])
    canaries.put_result(tx, e164=run["e164"], carrier=run["carrier"], kind=kind, result=result, wall_us=wall_us)


def _sender(tx: Tx, sent_by: str, e164: str) -> str:
    groups = [group["id"] for group in carrier_health.groups_of(tx, sent_by)]
    sender = numbers.first_free(tx, groups, except_e164=e164)
    if sender is None:
        raise CannotTest(
            f"carrier {sent_by} has no other free number to send from: name a sender with --from, or another carrier with"
            " --through"
        )
    return sender


def _run(tx: Tx, id_: int) -> Row:
    run = canaries.by_id(tx, id_)
    assert run is not None, "tests are stored for a week"
    return run
