"""The commands that show and check the carriers."""

import argparse
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from dtmf_server import config
from dtmf_server.carriers.registry import find
from dtmf_server.cli import canary, health_text, rate_text
from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.output import print_line
from dtmf_server.cli.speed_text import speed_json, speed_line
from dtmf_server.cli.stray_text import stray_lines
from dtmf_server.config import Config, warnings
from dtmf_server.core.hosts import is_loopback
from dtmf_server.core.timestamps import iso
from dtmf_server.operations import address_gap, carrier_health, carrier_speed, strays, supply_status
from dtmf_server.operations.lightning_health import LightningHealth, health
from dtmf_server.runtime.clock import wall_us
from dtmf_server.runtime.lightning_text import fault_text as fault_of_lightning
from dtmf_server.runtime.lightning_text import warning_texts
from dtmf_server.runtime.link_text import link_line
from dtmf_server.server.startup import settings_of
from dtmf_server.storage import canaries, instance
from dtmf_server.storage import carriers as storage_carriers
from dtmf_server.storage.db import Database
from dtmf_server.storage.open import open_database


def carriers(db: Database) -> tuple[int, list[str]]:
    """Return the state of every link as lines; the exit status is 1 if one is not up."""
    now_us = wall_us()
    links = db.read_blocking(lambda tx: carrier_health.links(tx, wall_us=now_us))
    lines = [link_line(link, wall_us=now_us) for link in links] or ["no carrier has been started with this database"]
    is_up = all(link.is_up for link in links)
    lines += [speed_line(each) for each in db.read_blocking(partial(carrier_speed.speeds, wall_us=now_us))]
    lines += canary.result_lines(db.read_blocking(canaries.results))
    return (0 if is_up else 1), [*lines, *stray_lines(db.read_blocking(strays.latest))]


def carriers_json(db: Database, configuration: Config) -> tuple[int, dict[str, Any]]:
    """Return the exit status of `carriers`, and what `carriers --json` prints. Times are UTC; null: never."""
    now_us = wall_us()
    links = db.read_blocking(lambda tx: carrier_health.links(tx, wall_us=now_us))
    caught_up = db.read_blocking(storage_carriers.all_caught_up)
    return (0 if all(link.is_up for link in links) else 1), {
        "links": [_link_json(link) for link in links],
        "carriers": [
            {"name": each.name, "kind": each.kind, "caught_up_at": _time(caught_up.get(each.name))}
            for each in configuration.carrier
        ],
        "answers": [speed_json(each) for each in db.read_blocking(partial(carrier_speed.speeds, wall_us=now_us))],
        "canaries": canary.results_json(db.read_blocking(canaries.results)),
        "strays": [
            {
                "destination": stray.destination,
                "count": stray.count,
                "first_at": _time(stray.first_at_us),
                "last_at": _time(stray.last_at_us),
                "in_stock": stray.in_stock,
            }
            for stray in db.read_blocking(strays.latest)
        ],
        "warnings": config.warnings(configuration),
    }


def _link_json(link: carrier_health.LinkStatus) -> dict[str, Any]:
    return {
        "carrier": link.carrier,
        "link": link.link,
        "is_up": link.is_up,
        "is_run": link.is_run,
        "state": link.state,
        "reason": link.reason,
        "since": _time(link.since_wall_us),
        "heard_at": _time(link.heard_wall_us),
        "noted_at": _time(link.noted_wall_us),
        "arrived": link.arrived,
        "submitted": link.submitted,
        "errors": link.errors,
        "p95_ms": link.p95_us / 1000,
    }


def _time(at_us: int | None) -> str | None:
    return iso(at_us) if at_us else None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings of `doctor`: problems with their fix, and warnings, which may be harmless."""

    problems: list[str]
    warnings: list[str]
    gap: address_gap.AddressGap


def diagnose(db: Database, configuration: Config) -> Diagnosis:
    """Return every problem with its fix, and every warning."""
    names = [carrier.name for carrier in configuration.carrier]
    found = db.read_blocking(lambda tx: health_text.complaints(tx, names, wall_us=wall_us()))
    if configuration.mode == "production" and not names:
        found.insert(0, "no [[carrier]] is configured: no SMS can be received or sent")
    found += [*_url_complaints(configuration), *rate_text.complaints(configuration)]
    found += db.read_blocking(partial(rate_text.group_complaints, configuration=configuration, at_wall_us=wall_us()))
    lightning = _lightning(db, configuration)
    if lightning is not None and (fault := fault_of_lightning(lightning)):
        found.append(f"no Lightning payment is credited: {fault}")
    found += db.read_blocking(partial(supply_status.complaints, sellers=_sellers(configuration)))
    gap = db.read_blocking(address_gap.address_gap)
    found += health_text.gap_complaints(gap)
    in_doubt = db.read_blocking(carrier_health.count_in_doubt)
    cheap = db.read_blocking(partial(supply_status.cheap, rules=settings_of(configuration).supply))
    slow = db.read_blocking(partial(carrier_speed.slow_now, wall_us=wall_us()))
    warned = [*warnings(configuration), *cheap, *health_text.doubt_lines(in_doubt), *map(speed_line, slow)]
    if configuration.mode == "production":
        since_us = db.read_blocking(instance.unprotected_since_us)
        warned += health_text.backup_lines(since_us, wall_us=wall_us())
    return Diagnosis(found, warned + (warning_texts(lightning) if lightning is not None else []), gap)


def _lightning(db: Database, configuration: Config) -> LightningHealth | None:
    """Return the state of the configured Lightning node."""
    if configuration.lightning.kind is None:
        return None
    return db.read_blocking(lambda tx: health(tx, wall_us=wall_us(), now_us=wall_us()))


def _sellers(configuration: Config) -> list[str]:
    """Return the configured carriers that sell numbers; a sandbox without carriers has the simulator."""
    if configuration.mode == "sandbox" and not configuration.carrier:
        return ["simulator"]
    return [each.name for each in configuration.carrier if find(each.kind).sells_numbers]


def _url_complaints(configuration: Config) -> list[str]:
    """Describe what is wrong with public_url, if a carrier posts callbacks to it."""
    posting = [each.name for each in configuration.carrier if find(each.kind).receives_callbacks]
    url = configuration.server.public_url
    if not posting:
        return []
    if url is None:
        return [f"carrier {name} receives SMS by callbacks, but public_url of [server] is not set" for name in posting]
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        return [
            f"public_url of [server] is {url}: codes that carrier {posting[0]} posts to it are not encrypted; use https"
        ]
    return []


def doctor(db: Database, configuration: Config) -> tuple[int, list[str]]:
    """Return every problem with its fix as lines; the exit status is 1 if there is any."""
    found = diagnose(db, configuration)
    said = [*found.problems, *found.warnings] or ["no problems found"]
    return (1 if found.problems else 0), [*said, *health_text.gap_lines(found.gap)]


def doctor_json(db: Database, configuration: Config) -> tuple[int, dict[str, Any]]:
    """Return the exit status of `doctor`, and what `doctor --json` prints."""
    found = diagnose(db, configuration)
    gap = found.gap
    return (1 if found.problems else 0), {
        "ok": not found.problems,
        "problems": found.problems,
        "warnings": found.warnings,
        "address_gap": {"size": gap.size, "last": gap.last, "paid": gap.paid, "unpaid": gap.unpaid},
    }


def carriers_command(options: argparse.Namespace, configuration: Config) -> int:
    """Show the state of every carrier's links. Returns the exit status."""
    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        if options.json:
            return _printed(*carriers_json(db, configuration))
        code, lines = carriers(db)
    return _said(code, [*lines, *config.warnings(configuration)])


def doctor_command(options: argparse.Namespace, configuration: Config) -> int:
    """Check the configuration, the carriers and the ledger. Returns the exit status."""
    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        if options.json:
            return _printed(*doctor_json(db, configuration))
        return _said(*doctor(db, configuration))


def _printed(code: int, found: dict[str, Any]) -> int:
    print_line(json.dumps(found))
    return code


def _said(code: int, lines: Sequence[str]) -> int:
    for line in lines:
        print_line(line)
    return code
