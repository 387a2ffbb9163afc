"""`dtmf-server accounts credit|debit|refund`: what an operator books on an account, each with an audit row."""

import argparse
import json
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from dtmf.e164 import is_e164
from dtmf_server.cli import operator
from dtmf_server.cli.account_actions import Command, Commands, add_command, run
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.money import SATS_MAX

if TYPE_CHECKING:
    from dtmf_server.operations.adjust import Adjusted
    from dtmf_server.operations.operator_refunds import Refunded
    from dtmf_server.runtime.context import Settings
    from dtmf_server.storage.db import Tx

REFERENCE_MAX, TEXT_MAX = 100, 200
Doing: TypeAlias = Callable[[argparse.Namespace, Config], int]


def add(actions: Commands, command: Command) -> None:
    """Add the commands beside `accounts list`."""
    text = "credit satoshis to an account, as a gift or a correction; its debt is paid first"
    _add_adjustment(actions, command, "credit", _credit, text)
    text = "debit satoshis from an account"
    debiting = _add_adjustment(actions, command, "debit", _debit, text)
    debiting.add_argument("--as-debt", action="store_true", help="book what the balance lacks as the account's debt")
    text = "refund what a message or an ended rental cost, once; the refund goes to its account"
    refunding = command(actions, "refund", _refund, text)
    refunding.add_argument("charge", choices=("message", "rental"), help="what is refunded")
    refunding.add_argument(
        "which", metavar="ID", type=_charge, help="the message's ID, the rental's, or the number that was rented last"
    )
    refunding.add_argument(
        "--sats", type=_sats, metavar="SATS", help="of a rental, refund only so much (default: set-up and all minutes)"
    )
    refunding.add_argument("--json", action="store_true", help="print one JSON object")
    operator.add_options(refunding, requires_reason=True)


def _add_adjustment(actions: Commands, command: Command, name: str, do: Doing, text: str) -> argparse.ArgumentParser:
    parser = add_command(actions, command, name, do, text)
    parser.add_argument("sats", type=_sats, metavar="SATS", help="satoshis, a whole number from 1")
    parser.add_argument(
        "--reference",
        type=_reference,
        metavar="REF",
        help="your own name for it, which is booked once: repeat a command whose result you didn't see (default: random)",
    )
    parser.add_argument(
        "--text",
        type=_text,
        default="",
        metavar="TEXT",
        help="what the renter reads in the transactions (default: none)",
    )
    return parser


def _sats(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19 and 0 < int(text) <= SATS_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {SATS_MAX}")
    return int(text)


def _charge(text: str) -> int | str:
    return text if is_e164(text) else _sats(text)


def _reference(text: str) -> str:
    if not (1 <= len(text) <= REFERENCE_MAX and text.isascii() and text.isprintable() and text.strip()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a reference of 1 to {REFERENCE_MAX} printable ASCII characters"
        )
    return text


def _text(text: str) -> str:
    if not (len(text) <= TEXT_MAX and text.isprintable()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a text of up to {TEXT_MAX} printable characters")
    return text


def _credit(options: argparse.Namespace, configuration: Config) -> int:
    """Credit an account. Returns the exit status."""
    from dtmf_server.operations import adjust  # noqa: PLC0415 - only where it is used

    by, reference = operator.acting(options), options.reference or secrets.token_hex(8)

    def act(tx: "Tx", now_us: int, settings: "Settings") -> "Adjusted":
        return adjust.credit(
            *(tx, options.account, options.sats),
            reference=reference,
            text=options.text,
            by=by,
            per_day_sats=settings.credit_per_day_sats,
            now_us=now_us,
        )

    return _show(options, run(options, configuration, act), reference, "credited to")


def _debit(options: argparse.Namespace, configuration: Config) -> int:
    """Debit an account. Returns the exit status."""
    from dtmf_server.operations import adjust  # noqa: PLC0415 - only where it is used

    by, reference = operator.acting(options), options.reference or secrets.token_hex(8)

    def act(tx: "Tx", now_us: int, settings: "Settings") -> "Adjusted":
        return adjust.debit(
            *(tx, options.account, options.sats),
            reference=reference,
            text=options.text,
            by=by,
            per_day_sats=settings.credit_per_day_sats,
            now_us=now_us,
            as_debt=options.as_debt,
        )

    return _show(options, run(options, configuration, act), reference, "debited from")


def _show(options: argparse.Namespace, done: "Adjusted", reference: str, verb: str) -> int:
    if options.json:
        found = {"id": options.account, "sats": options.sats, "reference": reference, "booked_now": done.is_new}
        print_line(json.dumps({**found, "balance": done.balance, "debt": done.debt}))
        return 0
    again = "" if done.is_new else " before; nothing was booked now"
    print_line(f"{options.sats} satoshis were {verb} account {options.account}, reference {reference}{again}")
    print_line(f"balance {done.balance} satoshis, debt {done.debt}")
    return 0


def _refund(options: argparse.Namespace, configuration: Config) -> int:
    """Refund a message or a rental. Returns the exit status."""
    from dtmf_server.core.errors import InvalidRequest  # noqa: PLC0415 - only where it is used
    from dtmf_server.operations import operator_refunds  # noqa: PLC0415 - the same

    by = operator.acting(options)
    if options.charge == "message" and (options.sats is not None or isinstance(options.which, str)):
        raise InvalidRequest("message", "is refunded as a whole, by its ID")

    def act(tx: "Tx", now_us: int, _settings: "Settings") -> "Refunded":
        if options.charge == "message":
            return operator_refunds.refund_message(tx, options.which, by=by, now_us=now_us)
        rental_id = operator_refunds.rental_of(tx, options.which)
        return operator_refunds.refund_rental(tx, rental_id, sats=options.sats, by=by, now_us=now_us)

    done = run(options, configuration, act)
    if options.json:
        charge = {"charge": options.charge, "charge_id": done.charge_id}
        print_line(json.dumps({"id": done.account_id, **charge, "sats": done.sats}))
        return 0
    print_line(f"{done.sats} satoshis were refunded to account {done.account_id} for {options.charge} {done.charge_id}")
    return 0
