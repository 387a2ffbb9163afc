"""What `dtmf-server carriers check` reports about smsd's database and its modems."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from dtmf_server.carriers.base import CheckResult
from dtmf_server.carriers.gammu import tables
from dtmf_server.carriers.gammu.database import Execute
from dtmf_server.carriers.gammu.modem import written_recently
from dtmf_server.carriers.gammu.settings import GammuSettings
from dtmf_server.core.units import SECOND_US

DATABASE_FIX = "create smsd's tables, and let the service's user read and write the file and its folder"
VERSIONS = (17, 18)  # of the tables, since smsd 1.40


@dataclass(frozen=True, slots=True)
class Found:
    """The content of smsd's tables. `waiting` and `foreign` are unprocessed SMS of the configured modems, and of others."""

    version: int
    phones: Sequence[tables.Phone]
    waiting: int
    foreign: int


def read(execute: Execute, phone_ids: Sequence[str]) -> Found:
    """Read what the checks need, in a transaction that may write, so that a read-only database is found."""
    execute('UPDATE inbox SET "Processed" = \'true\' WHERE "ID" = -1')
    waiting, foreign = tables.backlog(execute, phone_ids)
    return Found(tables.version(execute), tables.phones(execute), waiting, foreign)


def results(found: Found, settings: GammuSettings, zone: tzinfo | None, *, now_us: int) -> list[CheckResult]:
    """Return one line for the database, for each modem, for waiting SMS and for the SIM's storage."""
    is_known = found.version in VERSIONS
    fix = "" if is_known else "versions 17 and 18 are supported: update smsd and its tables"
    database = CheckResult("database", is_known or None, f"smsd's tables, version {found.version}", fix)
    modems = [_modem(found, phone_id, settings, zone, now_us=now_us) for phone_id in settings.modems]
    waiting = CheckResult("inbox", True, f"{found.waiting} SMS wait to be stored")
    if found.foreign:
        fix = "add the PhoneID to `modems`, or ignore this if another program reads them"
        waiting = CheckResult("inbox", None, f"{found.foreign} SMS are of a modem that `modems` does not name", fix)
    storage = CheckResult(
        "SIM storage",
        None,
        "smsd's tables do not show how full a SIM is; it holds 10 to 30 SMS, and the network keeps or drops the rest",
        "stop smsd for a moment and run `gammu getsmsfolders` and `gammu monitor 1`",
    )
    return [database, *modems, waiting, storage]


def _modem(found: Found, phone_id: str, settings: GammuSettings, zone: tzinfo | None, *, now_us: int) -> CheckResult:
    name = f"modem {phone_id}"
    phone = next((row for row in reversed(found.phones) if row.phone_id == phone_id), None)
    if phone is None:
        fix = "start smsd, and set `phoneid` in its configuration to the name that `modems` has"
        return CheckResult(name, False, "smsd has no modem with this PhoneID", fix)
    if not written_recently(phone, zone, now_us=now_us, silent_us=settings.silent_s * SECOND_US):
        fix = "start smsd and read its log; if it runs, check `time_zone` and set `statusfrequency = 60` in its configuration"
        return CheckResult(name, False, f"smsd last updated it at {phone.updated}", fix)
    signal = f"signal {phone.signal} %" if phone.signal >= 0 else "signal unknown"
    fix = "" if phone.signal > 0 or phone.signal < 0 else "move the antenna"
    return CheckResult(name, phone.signal != 0, f"{signal}, {phone.received} SMS received, {phone.sent} sent", fix)
