"""`dtmf-server operator`: sign-in links of the console, and its sessions."""

import argparse
import contextlib
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from dtmf_server.cli import audit, operator
from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.errors import CannotStart
from dtmf_server.core.timestamps import iso
from dtmf_server.runtime.clock import wall_us

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add(commands: Commands, command: Callable[[Commands, str, object, str], argparse.ArgumentParser]) -> None:
    """Add the commands to the parser; `command` creates one with the options that all commands share."""
    text = "sign in to the operator's console, and list and end its sessions"
    actions = commands.add_parser("operator", help=text, description=text[0].upper() + text[1:] + ".").add_subparsers(
        title="actions", required=True, metavar="ACTION"
    )
    link = command(actions, "link", _link, "print a link that signs in to the console once, within 10 minutes")
    link.add_argument("name", type=operator.name, metavar="NAME", help="the operator's name in the audit log")
    operator.add_options(link)
    link.add_argument("--json", action="store_true", help="print one JSON object")
    text = "list and end the sessions of the console"
    sessions = actions.add_parser("sessions", help=text, description=text[0].upper() + text[1:] + ".").add_subparsers(
        title="actions", required=True, metavar="ACTION"
    )
    listing = command(sessions, "list", _list, "list the sessions that are open, oldest first")
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    revoke = command(sessions, "revoke", _revoke, "end a session and revoke its operator's unused links")
    which = revoke.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", type=audit.row_id, metavar="ID", help="the ID of a session")
    which.add_argument("--all", action="store_true", help="end every session and revoke every unused link")
    operator.add_options(revoke)
    revoke.add_argument("--json", action="store_true", help="print one JSON object")


@contextmanager
def _database(options: argparse.Namespace, configuration: Config) -> Iterator[Any]:
    from dtmf_server.storage.open import open_database  # noqa: PLC0415 - only where it is used

    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        yield db


def _link(options: argparse.Namespace, configuration: Config) -> int:
    """Print the link alone on the first line, for scripts."""
    from dtmf_server.operations import operator_sign_in  # noqa: PLC0415 - only where it is used
    from dtmf_server.web.kit.session_cookie import sha256  # noqa: PLC0415 - the same

    console = configuration.operator.url
    if console is None:
        raise CannotStart(
            'the console has no fixed address: set listen = "127.0.0.1:8001" in [operator], and restart dtmf-server run'
        )
    key, by = secrets.token_urlsafe(32), operator.acting(options)
    with _database(options, configuration) as db:
        make = partial(operator_sign_in.make_link, by=by, link_sha256=sha256(key), operator=options.name)
        expires_wall_us = db.write_blocking(make)
    url = f"{console}/sign-in?key={key}"
    if options.json:
        print_line(json.dumps({"url": url, "operator": options.name, "expires_at": iso(expires_wall_us)}))
        return 0
    print_line(url)
    print_line(f"signs in {options.name} once, until {iso(expires_wall_us)[:19]} UTC")
    return 0


def _list(options: argparse.Namespace, configuration: Config) -> int:
    """List the sessions."""
    from dtmf_server.operations import operator_sign_in  # noqa: PLC0415 - only where it is used

    with _database(options, configuration) as db:
        rows = db.read_blocking(partial(operator_sign_in.sessions, wall_us=wall_us()))
    if options.json:
        print_line(json.dumps({"sessions": [_session_json(row) for row in rows]}))
        return 0
    for row in rows:
        created, seen = iso(row["created_wall_us"]), iso(row["seen_wall_us"])
        print_line(f"{row['id']}  {row['operator']}  signed in {created}  last request {seen}")
    return 0


def _session_json(row: Any) -> dict[str, Any]:
    times = {"signed_in_at": iso(row["created_wall_us"]), "last_request_at": iso(row["seen_wall_us"])}
    return {"id": row["id"], "operator": row["operator"], **times}


def _revoke(options: argparse.Namespace, configuration: Config) -> int:
    """End a session, or all."""
    from dtmf_server.operations import operator_sign_in  # noqa: PLC0415 - only where it is used

    by = operator.acting(options)
    with _database(options, configuration) as db:
        if options.all:
            ended = db.write_blocking(partial(operator_sign_in.revoke_all, by=by))
        else:
            db.write_blocking(partial(operator_sign_in.revoke, by=by, session_id=options.id))
            ended = [options.id]
    if options.json:
        print_line(json.dumps({"ended": ended}))
    else:
        print_line(f"sessions ended: {len(ended)}")
    return 0
