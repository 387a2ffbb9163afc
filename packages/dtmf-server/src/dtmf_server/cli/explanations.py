"""`dtmf-server numbers explain` and `deliveries explain`: why a number stopped, and which SMS its webhook did not get."""

import argparse
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import TypeAlias

from dtmf_server.cli import day_option
from dtmf_server.cli.answer_text import as_json, time
from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.rental import EndReason
from dtmf_server.core.units import DAY_US
from dtmf_server.operations import explain_deliveries, explain_number
from dtmf_server.operations.explain_deliveries import DeliveriesExplanation, Undelivered
from dtmf_server.operations.explain_number import NumberExplanation, RentalEnd, RentalStory
from dtmf_server.server.startup import attach_runtime
from dtmf_server.storage.db import Tx

DAYS = 7  # of `deliveries explain`, unless given
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command: TypeAlias = Callable[[Commands, str, object, str], argparse.ArgumentParser]


def add_to_numbers(actions: Commands, command: Command) -> None:
    """Add `numbers explain`."""
    text = "explain why a number stopped: its last rentals, and how each ended; exit 1 if it was never in stock"
    explaining = command(actions, "explain", explain_number_command, text)
    explaining.add_argument("e164", metavar="NUMBER", help="a number like +12025550123")
    explaining.add_argument("--day", type=day_option.day, metavar="DAY", help=f"rentals of this day: {day_option.HELP}")
    explaining.add_argument("--json", action="store_true", help="print one JSON object")


def add(commands: Commands, command: Command) -> None:
    """Add `deliveries`; `command` creates a command with the options that all commands share."""
    text = "explain deliveries to webhooks"
    deliveries = commands.add_parser("deliveries", help=text, description=f"{text.capitalize()}.")
    actions = deliveries.add_subparsers(title="actions", required=True, metavar="ACTION")
    text = "list the SMS to a number that its webhook did not get, and why; exit 1 if there are any"
    explaining = command(actions, "explain", explain_deliveries_command, text)
    explaining.add_argument("e164", metavar="NUMBER", help="a number like +12025550123")
    explaining.add_argument(
        "--since",
        type=day_option.day,
        metavar="DAY",
        help=f"the first day: {day_option.HELP} (default: {DAYS} days ago)",
    )
    explaining.add_argument("--json", action="store_true", help="print one JSON object")


def explain_number_command(options: argparse.Namespace, configuration: Config) -> int:
    """Explain a number. Returns the exit status."""
    runtime = attach_runtime(configuration, require_current_schema(options, configuration))

    def read(tx: Tx) -> NumberExplanation:
        now_us, span = runtime.clock.now_us(tx), {}
        if options.day is not None:
            from_us = day_option.resolve(options.day, now_us=now_us) * DAY_US
            span = {"from_us": from_us, "until_us": from_us + DAY_US}
        return explain_number.explain(tx, options.e164, now_us=now_us, wall_us=runtime.clock.wall_us(), **span)

    with contextlib.closing(runtime.db) as db:
        found = db.read_blocking(read)
    if options.json:
        print_line(json.dumps(as_json(found)))
        return 0
    for line in number_lines(found):
        print_line(line)
    return 0


def number_lines(found: NumberExplanation) -> Iterator[str]:
    """Yield the lines of `numbers explain`."""
    retired = "" if found.retired_at_us is None else f", out of stock since {time(found.retired_at_us)}"
    yield f"{found.e164}: group {found.group_id}, {'rented' if found.is_rented else 'not rented'}{retired}"
    if not found.rentals:
        yield "no account rented it then"
    for story in found.rentals:
        yield f"rental {story.rental_id} of account {story.account_id}, started {time(story.started_at_us)}"
        yield from (f"  {line}" for line in _story_lines(story))
    if any(story.end is None for story in found.rentals):
        yield from (f"link {link} is down now: {reason}" for link, reason in found.links_down.items())


def _story_lines(story: RentalStory) -> Iterator[str]:
    if story.end is None:
        yield "it has not ended"
    else:
        yield f"ended {time(story.end.at_us)} because {end_text(story.end)}"
    if story.last_sms_at_us is not None:
        yield f"last SMS {time(story.last_sms_at_us)}"
    for disabled in story.webhook_disabled:
        yield f"its webhook was switched off {time(disabled.at_us)}: {disabled.reason}"
    for action in story.actions:
        reason = f": {action.reason}" if action.reason else ""
        yield f"operator {action.operator}, {time(action.at_us)}: {action.action}{reason}"


def end_text(end: RentalEnd) -> str:
    """Return the reason for which a rental ended, as the end of a sentence."""
    request = "" if end.request_id is None else f" (dtmf-server requests show {end.request_id})"
    match end.reason:
        case EndReason.RENTER:
            return f"its renter ended it{request or ', on the website or by a request that is no longer recorded'}"
        case EndReason.DEPLETED:
            left = f": {end.balance} satoshis were left, less than its next minute costs"
            return f"the balance ran out{'' if end.balance is None else left}"
        case EndReason.LIMIT:
            limits = [f"max_minutes {end.max_minutes}"] if end.max_minutes is not None else []
            limits += [f"max_sats {end.max_sats}"] if end.max_sats is not None else []
            return f"it reached a limit that its renter set: {', '.join(limits)}"
        case EndReason.TOKEN:
            is_revoked = end.token_revoked_at_us is not None
            how = (
                f"was revoked {time(end.token_revoked_at_us or 0)}"
                if is_revoked
                else f"expired {time(end.token_expires_at_us or 0)}"
            )
            return f"the token {end.token_label!r} that started it {how}{request}"
        case "operator":
            return "an operator suspended the account"
    return f"of the reason {end.reason!r}"


def explain_deliveries_command(options: argparse.Namespace, configuration: Config) -> int:
    """Explain a number's deliveries. Returns the exit status: 1 if an SMS did not reach the webhook."""
    runtime = attach_runtime(configuration, require_current_schema(options, configuration))

    def read(tx: Tx) -> DeliveriesExplanation:
        now_us = runtime.clock.now_us(tx)
        first = now_us // DAY_US - DAYS if options.since is None else day_option.resolve(options.since, now_us=now_us)
        return explain_deliveries.explain(tx, options.e164, from_us=first * DAY_US, until_us=now_us + 1)

    with contextlib.closing(runtime.db) as db:
        found = db.read_blocking(read)
    if options.json:
        print_line(json.dumps(as_json(found)))
    else:
        for line in delivery_lines(found):
            print_line(line)
    return 1 if found.undelivered_count else 0


def delivery_lines(found: DeliveriesExplanation) -> Iterator[str]:
    """Yield the lines of `deliveries explain`."""
    yield f"{found.e164}: {found.undelivered_count} of {found.received} SMS did not reach the webhook"
    for each in found.undelivered:
        yield f"message {each.message_id}, received {time(each.received_at_us)}: {_why(each)}"
    if found.undelivered_count > len(found.undelivered):
        yield f"{found.undelivered_count - len(found.undelivered)} more are not listed"
    if not found.is_complete:
        yield f"older SMS were not read: the number received more than {explain_deliveries.READ_MAX}"
    if found.waiting_parts:
        yield f"{found.waiting_parts} parts of long SMS are waiting for the other parts"
    if found.strays and found.last_stray_at_us is not None:
        yield f"{found.strays} SMS arrived while no account rented the number, the last {time(found.last_stray_at_us)}"


def _attempts(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"


def _why(each: Undelivered) -> str:
    reason = each.reason or "there was no attempt yet"
    match each.state:
        case "waiting":
            assert each.next_attempt_at_us is not None
            return (
                f"waiting, next attempt {time(each.next_attempt_at_us)}; {_attempts(each.attempts)}: {reason}"
                f" ({each.destination})"
            )
        case "parked":
            return (
                f"parked after {_attempts(each.attempts)}: {reason} ({each.destination}); delivery {each.delivery_id}"
            )
    return reason
