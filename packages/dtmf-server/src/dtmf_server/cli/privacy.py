"""`dtmf-server privacy`: the data that is stored about people, and for how long, computed from the settings."""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TypeAlias

from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.units import DAY_US, HOUR_US, MINUTE_US
from dtmf_server.operations import canary, operator_sign_in, retention, sign_in, sign_up
from dtmf_server.storage import carrier_message_ids, strays

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
UNTIL_DELETED = "until the renter deletes the account"


@dataclass(frozen=True, slots=True)
class Item:
    """A kind of data: about whom it is, and how long it is stored."""

    data: str
    about: str
    stored: str


def add(commands: Commands, command: Callable[[Commands, str, object, str], argparse.ArgumentParser]) -> None:
    """Add the command to the parser; `command` creates one with the options that all commands share."""
    text = "print the data that this configuration stores about people, and for how long"
    parser = command(commands, "privacy", privacy_command, text)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def privacy_command(options: argparse.Namespace, configuration: Config) -> int:
    """Print the data. Returns the exit status."""
    found = [*items(configuration)]
    if options.json:
        print_line(json.dumps({"stored": [asdict(item) for item in found]}))
        return 0
    for item in found:
        print_line(f"{item.data} ({item.about}): {item.stored}")
    return 0


def items(configuration: Config) -> Iterator[Item]:
    """Yield every kind of data."""
    days = configuration.retention.message_days
    texts = f"{days} days after the rental has ended, or until the account is deleted"
    yield Item(
        "the ledger: deposits, charges, refunds", "renters, as account numbers", "for as long as the database exists"
    )
    yield Item("rented numbers and the times of rentals", "renters", "for as long as the database exists")
    yield Item("SHA-256 digests of tokens", "renters", "for as long as the database exists")
    yield Item("labels of tokens and rentals", "renters", UNTIL_DELETED)
    yield Item("the texts of SMS, and replies of webhook receivers", "renters and their correspondents", texts)
    yield Item("senders and recipients of SMS", "renters and their correspondents", UNTIL_DELETED)
    parts_days = max(days, retention.PARTS_KEPT_US // DAY_US)
    yield Item("parts of incomplete SMS", "renters and their correspondents", f"{parts_days} days at most")
    yield Item("forwarding numbers and webhook URLs", "renters", UNTIL_DELETED)
    hours = retention.IDEMPOTENCY_KEPT_US // HOUR_US
    yield Item("answers to requests with an Idempotency-Key", "renters", f"{hours} hours")
    if request_days := configuration.retention.request_days:
        yield Item(
            "records of API requests: operation, token, status, and the IDs of what changed; no texts",
            "renters, as account numbers",
            f"{request_days} days, or until the account is deleted",
        )
    idle, most = sign_in.IDLE_US // DAY_US, sign_in.SESSION_MAX_US // DAY_US
    yield Item("sessions of the website", "renters", f"{idle} days after the last visit, {most} days at most")
    yield Item("sign-in links", "renters", f"{sign_in.LINK_US // HOUR_US} hours")
    yield Item("deposit addresses and transactions", "renters", "for as long as the database exists")
    yield Item(
        "a keyed hash of the network that asked for a deposit address", "renters", "until it has a confirmed payment"
    )
    yield Item("a keyed hash of the network that started a rental", "renters", "until a refund is decided")
    if configuration.signup.paid:
        claim = sign_up.CLAIM_US // DAY_US
        yield Item(
            "a keyed hash of the network that signed up",
            "renters",
            f"until the invoice is paid or expires; claims {claim} days",
        )
    yield from _of_operators()
    yield Item("the log: no texts, tokens or whole phone numbers", "renters", "as long as the system keeps its log")
    yield Item("backups: all of the above, as of the time of the backup", "everyone above", "until they are deleted")


def _of_operators() -> Iterator[Item]:
    """Yield the data that only operators see."""
    yield Item(
        "numbers without a renter that received SMS, and how many; no text",
        "earlier renters",
        f"{strays.KEPT_US // DAY_US} days after the last one",
    )
    yield Item(
        "digests of carriers' message IDs",
        "renters",
        "for as long as the database exists; of SMS to numbers that were never in stock"
        f" {carrier_message_ids.STRAY_KEPT_US // DAY_US} days",
    )
    yield Item("canary SMS of `carriers check`", "the operator", f"{canary.KEPT_US // DAY_US} days")
    yield Item(
        "the audit log: operators' names, actions and reasons",
        "operators, and renters as account numbers, addresses or phone numbers",
        "for as long as the database exists",
    )
    idle, most = operator_sign_in.IDLE_US // MINUTE_US, operator_sign_in.SESSION_MAX_US // HOUR_US
    yield Item(
        "sessions of the console, with the operator's name",
        "operators",
        f"{idle} minutes after the last request, {most} hours at most",
    )
    yield Item("what `carriers trace` shows, masked", "renters and their correspondents", "while it runs")
