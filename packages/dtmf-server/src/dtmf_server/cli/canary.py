"""`dtmf-server carriers check NAME --receive NUMBER`: tests whether one-time codes arrive at a number."""

import argparse
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from dtmf.e164 import is_e164
from dtmf_server.carriers.base import CheckResult
from dtmf_server.config import Config
from dtmf_server.core import canary as rules
from dtmf_server.core.canary import CanaryKind, CanaryResult
from dtmf_server.core.carrier_words import bounded
from dtmf_server.core.errors import CannotStart
from dtmf_server.core.timestamps import iso
from dtmf_server.core.units import SECOND_US
from dtmf_server.operations import canary
from dtmf_server.runtime.clock import Clock, wall_us
from dtmf_server.storage import canaries
from dtmf_server.storage.db import Database, Row

TIMEOUT_S, TIMEOUT_MAX_S = 120, 900
CLAIM_S = 15.0  # a running service takes a test within seconds
POLL_INTERVAL_S = 0.2
SENDER_MAX = 21  # characters
NOT_TAKEN = "no running service sent the SMS: start dtmf-server run, or a worker, with this database and configuration"
WHICH = "see docs/carriers/which-numbers.md"
_KINDS = {CanaryKind.ONE_TIME_CODE: "one-time codes", CanaryKind.SHORT_CODE: "codes from short codes"}
_SUMMARIES = {
    CanaryResult.RECEIVED: "{codes} arrive",
    CanaryResult.DIFFERS: "{codes} arrive, but texts are changed",
    CanaryResult.REDACTED: "{codes} arrive without the code",
    CanaryResult.NOTHING: "{codes} did not arrive",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    receive = parser.add_argument_group(
        "test of receiving",
        "Sends an SMS with a one-time code to one of your numbers and compares what arrives. It needs the running service, a"
        " number in stock that is not rented (it cannot be rented meanwhile), and a sender: another number of yours at this"
        " carrier, or --from and --through. The carrier charges you for the SMS; no renter sees or pays it.",
    )
    receive.add_argument("--receive", metavar="NUMBER", help="the number of this carrier that must receive the SMS")
    receive.add_argument(
        "--from",
        dest="sender",
        metavar="SENDER",
        help="send from this number, short code or name (default: a free one)",
    )
    receive.add_argument("--through", metavar="CARRIER", help="send through this carrier (default: the same)")
    receive.add_argument(
        "--timeout", type=_timeout, default=TIMEOUT_S, metavar="S", help=f"seconds to wait (default {TIMEOUT_S})"
    )


def validate(options: argparse.Namespace, configuration: Config) -> None:
    """Check the options before anything is sent. Raises CannotStart."""
    if options.receive is None:
        if options.sender or options.through:
            raise CannotStart("--from and --through need --receive NUMBER")
        return
    if not is_e164(options.receive):
        raise CannotStart(f"--receive {options.receive}: use the international format, like +447700900001")
    if options.sender is not None and not (0 < len(options.sender) <= SENDER_MAX and options.sender.isprintable()):
        raise CannotStart(f"--from: at most {SENDER_MAX} characters")
    known = [carrier.name for carrier in configuration.carrier]
    if options.through and options.through not in known:
        raise CannotStart(f"carrier {options.through} is not in the configuration; configured: {', '.join(known)}")


def test_receiving(
    db: Database, options: argparse.Namespace, configuration: Config
) -> tuple[CheckResult, dict[str, Any]]:
    """Send a canary, wait for it, and explain what arrived: as a result, and as JSON."""
    clock = Clock(sandbox=configuration.mode == "sandbox")
    begin = partial(
        canary.begin,
        carrier=options.name,
        e164=options.receive,
        sender=options.sender,
        sent_by=options.through or options.name,
        code=str(secrets.randbelow(9 * 10 ** (rules.CODE_DIGITS - 1)) + 10 ** (rules.CODE_DIGITS - 1)),
        timeout_us=options.timeout * SECOND_US,
        wall_us=wall_us(),
    )
    try:
        run = db.write_blocking(lambda tx: begin(tx, now_us=clock.now_us(tx)))
    except canary.CannotTest as error:
        return CheckResult("receive", False, str(error)), {"result": None}
    timed_out = False
    try:
        timed_out = _wait(db, run["id"], timeout_s=options.timeout)
    finally:
        run = db.write_blocking(partial(canary.end, id_=run["id"], timed_out=timed_out, wall_us=wall_us()))
    return _explained(run, timeout_s=options.timeout), _json(run, timed_out=timed_out)


def result_lines(found: Sequence[Row]) -> list[str]:
    """Format the last results for `dtmf-server carriers`."""
    return [
        f"canary {row['e164']} at {row['carrier']}: {_SUMMARIES[row['result']].format(codes=_KINDS[row['kind']])}"
        f" ({datetime.fromtimestamp(row['at_wall_us'] // SECOND_US, UTC):%Y-%m-%d})"
        for row in found
    ]


def results_json(found: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the last results as JSON."""
    return [
        {name: row[name] for name in ("carrier", "e164", "kind", "result")} | {"at": iso(row["at_wall_us"])}
        for row in found
    ]


def _wait(db: Database, id_: int, *, timeout_s: int) -> bool:
    """Wait until the SMS has arrived or certainly was not sent. Return whether it was waited for in vain."""
    started_s = time.monotonic()
    while True:
        run = db.read_blocking(lambda tx: canaries.by_id(tx, id_))
        assert run is not None, "tests are stored for a week"
        waited_s = time.monotonic() - started_s
        if run["state"] in ("not_sent", "over") or (run["state"] == "waiting" and waited_s > CLAIM_S):
            return False
        if waited_s > timeout_s:
            return True
        time.sleep(POLL_INTERVAL_S)


def _explained(run: Row, *, timeout_s: int) -> CheckResult:
    codes = _KINDS[rules.kind_of(run["sender"])]
    how = f"an SMS from {bounded(run['sender'])} through {run['sent_by']}"
    if run["result"] is not None:
        return _arrived(run, how, codes)
    if run["state"] == "waiting":
        return CheckResult("receive", False, NOT_TAKEN)
    if run["state"] == "not_sent":
        said = f"{how} was not sent: {run['reason']}"
        return CheckResult("receive", False, said, "choose another sender with --from, or a carrier with --through")
    if run["reason"] or run["state"] == "submitting":
        said = f"{how} may not have been sent ({run['reason'] or 'no response yet'}), and nothing arrived"
        return CheckResult("receive", False, said, "repeat the test when the carrier responds")
    said = f"nothing arrived: {how} was accepted, and did not reach {run['e164']} within {timeout_s} s"
    fix = f"watch carriers trace {run['carrier']} while you repeat this; if it arrives later, carriers shows it"
    return CheckResult("receive", False, f"{said}, so renters may miss {codes}", fix)


def _arrived(run: Row, how: str, codes: str) -> CheckResult:
    sent, received = run["text"], bounded(run["received"])
    how += f" arrived after {(run['arrived_wall_us'] - run['submitted_wall_us']) / SECOND_US:.1f} s"
    if run["arrived_by"] != run["carrier"]:
        how += f", by carrier {run['arrived_by']} instead of {run['carrier']}"
    if run["result"] == CanaryResult.RECEIVED:
        return CheckResult("receive", True, f"received: {how}, unchanged. {codes.capitalize()} reach this number")
    if run["result"] == CanaryResult.DIFFERS:
        said = f"differs: {how}, with its code, but as {received!r} instead of {sent!r}"
        return CheckResult("receive", True, f"{said}. {codes.capitalize()} reach this number")
    said = f"redacted: {how}, without its code: {received!r} instead of {sent!r}"
    return CheckResult("receive", False, f"{said}. Renters can't receive {codes} at this number", WHICH)


def _json(run: Row, *, timed_out: bool) -> dict[str, Any]:
    arrived_us = run["arrived_wall_us"]
    is_missing = timed_out and run["state"] == "submitted" and not run["reason"]
    return {
        "e164": run["e164"],
        "kind": rules.kind_of(run["sender"]),
        "from": run["sender"],
        "sent_by": run["sent_by"],
        "arrived_by": run["arrived_by"],
        "result": run["result"] or (CanaryResult.NOTHING if is_missing else None),
        "seconds": (arrived_us - run["submitted_wall_us"]) / SECOND_US if arrived_us else None,
    }


def _timeout(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= TIMEOUT_MAX_S):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds from 1 to {TIMEOUT_MAX_S}")
    return int(text)
