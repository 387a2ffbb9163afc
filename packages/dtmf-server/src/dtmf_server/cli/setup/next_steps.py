"""What `dtmf-server init` prints at its end: what it wrote, and the commands that lead to the first SMS."""

import argparse
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from dtmf_server.cli.setup import catalog
from dtmf_server.cli.setup.catalog import Starter
from dtmf_server.cli.setup.plan import Plan


def lines(
    options: argparse.Namespace,
    path: Path,
    plan: Plan,
    starter: Starter,
    *,
    is_new: bool,
    secret_files: Sequence[str],
) -> Iterator[str]:
    """Yield the lines to print."""
    added = f" with the carrier {plan.name}" if is_new and plan.kind else ""
    yield (
        f"wrote {path}{added}" if is_new else f"added the carrier {plan.name} to {path}; nothing else in it was changed"
    )
    if secret_files:
        yield f"wrote {', '.join(secret_files)}, readable only by you"
    for group in starter.groups:
        of_group = [e164 for e164 in starter.numbers if catalog.group_id(e164, plan.name) == group]
        yield f"imported group {group}: {', '.join(of_group[:5])}{' …' if len(of_group) > 5 else ''}"
    if starter.groups:
        yield f"prices in satoshis: {_prices(plan.prices)}"
        yield f"  {plan.prices.reason}; change them with dtmf-server groups import"
    for prefix in starter.destinations:
        yield f"sending to +{prefix}: {plan.prices.segment} satoshis a segment; other countries: dtmf-server prices import"
    yield ""
    yield "Next:"
    for step in _steps(options, path, plan, starter, is_new=is_new):
        yield f"  {step}"


def _prices(prices: catalog.Prices) -> str:
    return f"{prices.setup} to start a rental, {prices.minute} a minute, {prices.received} per SMS received"


def _steps(options: argparse.Namespace, path: Path, plan: Plan, starter: Starter, *, is_new: bool) -> Iterator[str]:
    more = f" --config {shlex.quote(str(path))}"
    if options.data != Path("data"):
        more += f" --data {shlex.quote(str(options.data))}"
    if options.database:
        more += " --database URL"
    if plan.kind is not None and plan.kind.after:
        yield f"# {plan.kind.after.format(plan.callback_url)}"
    yield f"dtmf-server run{more}" if is_new else f"# restart the service: dtmf-server run{more}"
    if plan.kind is None:
        yield "# and from another terminal, in this folder: dtmf groups"
        return
    yield "# and from another terminal, in this folder:"
    if plan.mode == "production":
        yield f"dtmf-server accounts open{more}    # prints a token for dtmf login"
        yield f"dtmf login --url http://127.0.0.1:{plan.port}"
    elif plan.prices.minute:
        yield "dtmf sandbox deposit 100000    # test coins"
    if starter.groups:
        yield f"dtmf rent {starter.groups[0]}"
        yield f"dtmf wait {starter.numbers[0]}    # send an SMS to this number"
    else:
        yield f"dtmf-server numbers import numbers.csv --group GROUP{more}    # after dtmf-server groups import"
    yield f"dtmf-server carriers check {plan.name}{more}    # if no SMS arrives"
