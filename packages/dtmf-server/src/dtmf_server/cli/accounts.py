"""`dtmf-server accounts`: opens accounts on services where customers cannot sign up themselves, lists, shows and changes them."""

import argparse
import contextlib
import json
import secrets
from collections.abc import Callable
from typing import TypeAlias

from dtmf_server.cli import account_actions, account_lists, account_money, audit, operator
from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command: TypeAlias = Callable[[Commands, str, object, str], argparse.ArgumentParser]


def add(commands: Commands, command: Command) -> None:
    """Add the commands to the parser; `command` creates one with the options that all commands share."""
    text = "open, list, show, suspend and close accounts, and book credits, debits and refunds"
    accounts = commands.add_parser("accounts", help=text, description=text[0].upper() + text[1:] + ".")
    actions = accounts.add_subparsers(title="actions", required=True, metavar="ACTION")
    opening = command(
        actions, "open", _open, "open an account: prints its token and a sign-in link that works once, within 24 hours"
    )
    operator.add_options(opening)
    listing = command(actions, "list", _list, "list accounts, oldest first, with their booked balances")
    listing.add_argument("--after", type=audit.row_id, default=0, metavar="ID", help="only accounts with higher IDs")
    listing.add_argument(
        "--network",
        type=_network,
        metavar="HASH",
        help="only accounts with unpaid addresses requested from this network; `accounts show` prints the hash",
    )
    audit.add_limit(listing)
    account_lists.add(actions, command)
    show = command(actions, "show", _show, "find an account, and show what is stored about it, except message texts")
    show.add_argument(
        "what",
        metavar="WHAT",
        help="an account ID, a number, a txid or outpoint, an address, an invoice or payment hash, or a token's label",
    )
    show.add_argument("--json", action="store_true", help="print one JSON object")
    account_actions.add(actions, command)
    account_money.add(actions, command)


def _network(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a hash in hexadecimal digits") from None


def _list(options: argparse.Namespace, configuration: Config) -> int:
    """List a page of accounts."""
    from dtmf_server.cli import account_text  # noqa: PLC0415 - the same
    from dtmf_server.storage import accounts, deposits  # noqa: PLC0415 - only where it is used
    from dtmf_server.storage.db import Row, Tx  # noqa: PLC0415 - the same
    from dtmf_server.storage.open import open_database  # noqa: PLC0415 - the same

    page = {"after": options.after, "limit": options.limit}

    def read(tx: Tx) -> list[Row]:
        if options.network is None:
            return accounts.customers(tx, **page)
        return accounts.customers(tx, ids=deposits.accounts_of_network(tx, options.network, **page), **page)

    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        rows = db.read_blocking(read)
    after = rows[-1]["id"] if len(rows) == options.limit else None
    if options.json:
        print_line(json.dumps({"accounts": [account_text.listed_json(row) for row in rows], "after": after}))
        return 0
    for row in rows:
        print_line(account_text.listed_line(row))
    if after is not None:
        print_line(f"more accounts: dtmf-server accounts list --after {after}")
    return 0


def _show(options: argparse.Namespace, configuration: Config) -> int:
    """Show one account."""
    from dtmf_server.cli import account_text  # noqa: PLC0415 - the same
    from dtmf_server.operations import find_account  # noqa: PLC0415 - only where it is used
    from dtmf_server.payments.lightning import bolt11  # noqa: PLC0415 - the same
    from dtmf_server.runtime.clock import wall_us  # noqa: PLC0415 - the same
    from dtmf_server.server import startup  # noqa: PLC0415 - the same
    from dtmf_server.storage.db import Tx  # noqa: PLC0415 - the same

    runtime = startup.attach_runtime(configuration, require_current_schema(options, configuration))

    def read(tx: Tx) -> find_account.Report:
        found = find_account.find(tx, bolt11.payment_hash_of(options.what))
        return find_account.report(tx, found, now_us=runtime.clock.now_us(tx), wall_us=wall_us())

    with contextlib.closing(runtime.db) as db:
        report = db.read_blocking(read)
    if options.json:
        print_line(json.dumps(account_text.report_json(report)))
        return 0
    for line in account_text.report_lines(report):
        print_line(line)
    return 0


def _open(options: argparse.Namespace, configuration: Config) -> int:
    """Print the token alone on the first line, for scripts; the link requires the configuration's public_url."""
    from dtmf_server.core import api_token  # noqa: PLC0415 - the same
    from dtmf_server.operations import account  # noqa: PLC0415 - the same
    from dtmf_server.operations.audit import record  # noqa: PLC0415 - the same
    from dtmf_server.server import startup  # noqa: PLC0415 - only where it is used
    from dtmf_server.storage.db import Tx  # noqa: PLC0415 - the same

    runtime = startup.attach_runtime(configuration, require_current_schema(options, configuration))
    new_token = api_token.mint(secrets.token_bytes(32))
    by = operator.acting(options)

    def open_account(tx: Tx) -> None:
        sha256 = api_token.sha256(new_token)
        account_id = account.open_account(tx, token_sha256=sha256, now_us=runtime.clock.now_us(tx))
        record(tx, by, "accounts open", f"account {account_id}", account_id=account_id)

    with contextlib.closing(runtime.db) as db:
        db.write_blocking(open_account)
        print(new_token)
        if configuration.server.public_url is not None:
            path = startup.sign_in_link(db, runtime.clock, new_token)
            print(f"{configuration.server.public_url.rstrip('/')}{path}")
    return 0
