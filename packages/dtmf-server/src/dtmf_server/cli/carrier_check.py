"""`dtmf-server carriers check NAME`: tests a carrier live, and explains each result."""

import argparse
import asyncio
import contextlib
import json
from collections.abc import Sequence

from dtmf_server.carriers import registry
from dtmf_server.carriers.base import CarrierRefused, CheckResult, ChecksItself, SmsCarrier
from dtmf_server.carriers.callback_url import check_callback_url
from dtmf_server.cli import canary
from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.output import print_line
from dtmf_server.config import CarrierSettings, Config
from dtmf_server.core.carrier_words import bounded
from dtmf_server.core.errors import CannotStart
from dtmf_server.operations import carrier_health
from dtmf_server.runtime.clock import wall_us
from dtmf_server.runtime.link_text import fault_text
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database

_MARKS = {True: "ok", False: "FAILED", None: "unknown"}
NOT_BOUND_AGAIN = "links are up; no further bind was tried, because many SMSCs allow only one"
NO_CHECK = "this kind of carrier has no check of its own: send an SMS to see whether its credentials work"
NO_GROUP = "name it in the column carriers of a group, and import numbers: dtmf-server groups import FILE"


def check_command(options: argparse.Namespace, configuration: Config) -> int:
    """Test a carrier. Returns 1 if a test failed."""
    from dtmf_server.server import startup  # noqa: PLC0415 - only where it is used

    settings = next((each for each in configuration.carrier if each.name == options.name), None)
    if settings is None:
        known = ", ".join(each.name for each in configuration.carrier) or "none"
        raise CannotStart(f"carrier {options.name} is not in the configuration; configured: {known}")
    canary.validate(options, configuration)
    carrier_database = startup.CarrierDatabase()
    (carrier,) = [
        each for each in startup.build_carriers(configuration, carrier_database) if each.name == settings.name
    ]
    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        carrier_database.db = db
        links = db.read_blocking(lambda tx: _links(tx, settings.name))
        groups = db.read_blocking(lambda tx: _groups(tx, settings.name))
        found = [*links, *groups, *asyncio.run(_check(carrier, settings, configuration, links))]
        more = {}
        if options.receive is not None:
            received, more["canary"] = canary.test_receiving(db, options, configuration)
            found.append(received)
    failed = any(result.is_ok is False for result in found)
    if options.json:
        results = [{"name": r.name, "ok": r.is_ok, "detail": r.detail, "fix": r.fix} for r in found]
        shown = {"carrier": settings.name, "kind": settings.kind, "ok": not failed, "results": results}
        print_line(json.dumps(shown | more))
    else:
        for result in found:
            print_line(result_text(result))
    return 1 if failed else 0


async def _check(
    carrier: SmsCarrier, settings: CarrierSettings, configuration: Config, links: Sequence[CheckResult]
) -> list[CheckResult]:
    found: list[CheckResult] = []
    if registry.find(settings.kind).receives_callbacks:
        base = configuration.server.public_url
        url = base and f"{base.rstrip('/')}/callbacks/carriers/{settings.name}"
        found += await check_callback_url(url, wall_us=wall_us)
    if settings.kind == "smpp" and any(link.is_ok for link in links):
        return [*found, CheckResult("bind", True, NOT_BOUND_AGAIN)]
    if not isinstance(carrier, ChecksItself):
        return [*found, CheckResult("credentials", None, NO_CHECK)]
    try:
        return [*found, *await carrier.check()]
    except CarrierRefused as error:
        return [*found, CheckResult("credentials", False, error.reason, "check the credentials in its [[carrier]]")]


def _links(tx: Tx, name: str) -> list[CheckResult]:
    now_us = wall_us()
    return [
        CheckResult("link", True, f"{link.link} is up")
        if link.is_up
        else CheckResult(
            "link", None if not link.is_run else False, fault_text(link, wall_us=now_us), _fix(link.is_run)
        )
        for link in carrier_health.links(tx, wall_us=now_us)
        if link.carrier == name
    ]


def _fix(is_run: bool) -> str:
    return "see the reason, and the results below" if is_run else "start dtmf-server run, or a worker"


def _groups(tx: Tx, name: str) -> list[CheckResult]:
    groups = carrier_health.groups_of(tx, name)
    if not any(group["numbers"] for group in groups):
        return [CheckResult("numbers", False, "no group with numbers uses this carrier", NO_GROUP)]
    shown = ", ".join(f"{group['id']} ({group['numbers']} numbers, {group['rented']} rented)" for group in groups[:10])
    return [CheckResult("numbers", True, f"groups that use it: {shown}")]


def result_text(result: CheckResult) -> str:
    """Return a result as one line: whether it is good, what was found, and how to fix it."""
    fix = f": {bounded(result.fix)}" if result.fix and not result.is_ok else ""
    detail = result.detail if result.name == "receive" else bounded(result.detail)  # its parts are bounded
    return f"{_MARKS[result.is_ok]:8}{bounded(result.name)}: {detail}{fix}"
