"""`dtmf-server requests show`: what an API request did, by the request ID that its caller got."""

import argparse
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config

if TYPE_CHECKING:
    from dtmf_server.operations import explain_request

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
NOT_FOUND = (
    "nothing is recorded with this ID: requests that only read, were refused without a valid token, or are older than"
    " retention.request_days are not; docs/operations/questions.md lists the others"
)


def add(commands: Commands, command: Callable[[Commands, str, object, str], argparse.ArgumentParser]) -> None:
    """Add the commands to the parser; `command` creates one with the options that all commands share."""
    text = "show what API requests did"
    requests = commands.add_parser("requests", help=text, description=f"{text.capitalize()}.")
    actions = requests.add_subparsers(title="actions", required=True, metavar="ACTION")
    text = "show what an API request changed, or why it was refused; exit 1 if nothing is recorded"
    show = command(actions, "show", show_command, text)
    show.add_argument("id", metavar="ID", help="a request ID (req_…), or the webhook-id of a webhook (dlv_…)")
    show.add_argument("--json", action="store_true", help="print one JSON object")


def show_command(options: argparse.Namespace, configuration: Config) -> int:
    """Show a request or a delivery. Returns the exit status: 1 if nothing is recorded."""
    from dtmf_server.cli.answer_text import as_json  # noqa: PLC0415 - only where it is used
    from dtmf_server.operations import explain_request  # noqa: PLC0415 - the same
    from dtmf_server.storage.open import open_database  # noqa: PLC0415 - the same

    is_webhook = options.id.startswith(explain_request.WEBHOOK_ID)
    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        found = db.read_blocking(lambda tx: [] if is_webhook else explain_request.explain(tx, options.id))
        delivery = db.read_blocking(lambda tx: explain_request.delivery(tx, options.id)) if is_webhook else None
    if options.json:
        print_line(json.dumps({"requests": as_json(found), "delivery": as_json(delivery)}))
    else:
        for line in _lines(found, delivery):
            print_line(line)
    return 0 if found or delivery else 1


def _lines(
    found: "list[explain_request.RequestExplanation]", delivery: "explain_request.Effect | None"
) -> Iterator[str]:
    from dtmf_server.cli.answer_text import fields, time  # noqa: PLC0415 - only where it is used

    if not found and delivery is None:
        yield NOT_FOUND
    for each in found:
        token = "" if each.token_id is None else f" with token {each.token_id} ({each.token_label or 'no label'})"
        yield f"{each.request_id}: {each.operation} by account {each.account_id}{token} at {time(each.at_us)}"
        if each.code is not None:
            yield f"  refused with {each.status} {each.code}: it changed nothing"
        elif each.is_repeated:
            yield f"  answered {each.status} again, as an earlier request with its Idempotency-Key: it changed nothing"
        else:
            yield f"  answered {each.status}" + ("" if each.effects else "; no rental, message or transfer was changed")
        for effect in each.effects:
            yield f"  {effect.kind} {effect.id}: {fields(effect.values)}"
    if delivery is not None:
        yield f"delivery {delivery.id}: {fields(delivery.values)}"
