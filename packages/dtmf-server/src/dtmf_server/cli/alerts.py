"""`dtmf-server alerts test`: posts a test alert to `[alerts] webhook`."""

import argparse
import asyncio
import json
from collections.abc import Callable
from typing import TypeAlias

from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.runtime.clock import wall_us
from dtmf_server.runtime.context import AlertSettings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
NOT_SET = "alerts.webhook is not set: alerts are not posted"


def add(commands: Commands, command: Callable[[Commands, str, object, str], argparse.ArgumentParser]) -> None:
    """Add the commands to the parser."""
    text = "test the receiver of alerts"
    actions = commands.add_parser("alerts", help=text, description=text[0].upper() + text[1:] + ".").add_subparsers(
        title="actions", required=True, metavar="ACTION"
    )
    testing = command(
        actions, "test", test_command, "post a test alert to alerts.webhook; exit 1 if it does not arrive"
    )
    testing.add_argument("--json", action="store_true", help="print one JSON object")


def test_command(options: argparse.Namespace, configuration: Config) -> int:
    """Post a test alert. Returns the exit status: 1 if it did not arrive."""
    from dtmf_server.server.startup import settings_of  # noqa: PLC0415 - only where it is used

    settings = settings_of(configuration).alerts
    reason = NOT_SET if settings is None else asyncio.run(_post(settings))
    if options.json:
        print_line(json.dumps({"delivered": reason is None, "reason": reason}))
    else:
        print_line("the test alert was delivered" if reason is None else f"the test alert was not delivered: {reason}")
    return 0 if reason is None else 1


async def _post(settings: AlertSettings) -> str | None:
    from dtmf_server.webhooks.client import WebhookClient  # noqa: PLC0415 - only where it is used
    from dtmf_server.workers import alerts  # noqa: PLC0415 - the same

    now_us = wall_us()
    async with WebhookClient(sandbox=settings.allow_loopback) as client:
        return await alerts.post(client, settings, alerts.test_alert(wall_us=now_us), wall_us=now_us)
