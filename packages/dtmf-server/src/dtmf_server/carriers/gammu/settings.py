"""The settings of `[[carrier]] kind = "gammu"`."""

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from msgspec import Meta

from dtmf_server.config.carrier import CarrierSettings
from dtmf_server.config.section import setting
from dtmf_server.core.hosts import is_loopback

_POSTGRESQL = ("postgresql://", "postgres://")
_is_e164 = re.compile(r"\+[1-9][0-9]{6,14}\Z").match


def is_postgresql(database: str) -> bool:
    """Return whether this is the URL of a PostgreSQL database, else it is the path of an SQLite file."""
    return database.startswith(_POSTGRESQL)


def _is_database(value: str) -> bool:
    return bool(value) and (is_postgresql(value) or "://" not in value)


def _is_zone(value: str) -> bool:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # what ZoneInfo raises for bad names, folders and unknown zones
        return False
    return True


class GammuSettings(CarrierSettings, frozen=True, kw_only=True):
    """The database of gammu-smsd and the modems that it runs."""

    database: Annotated[
        str,
        setting("the path of smsd's SQLite file, or the postgresql:// URL of its database", _is_database, secret=True),
    ]
    modems: Annotated[
        dict[str, str],
        Meta(description='a table like { modem1 = "+447700900001" }: each PhoneID in smsd and the number of its SIM'),
    ]
    poll_ms: Annotated[int, Meta(ge=50, le=60_000, description="whole milliseconds from 50 to 60000")] = 500
    silent_s: Annotated[int, Meta(ge=10, le=86_400, description="whole seconds from 10 to 86400")] = 180
    time_zone: Annotated[str | None, setting("a time zone like Europe/London or UTC, as smsd uses it", _is_zone)] = None
    delivery_report: Annotated[bool, Meta(description="true or false")] = True

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """Yield invalid modems, and in a sandbox a database that is not on this machine."""
        if not self.modems:
            yield "modems", "is empty: name each PhoneID in smsd's configuration and the number of its SIM"
        for phone_id, number in self.modems.items():
            if not _is_e164(number):
                yield "modems", f"has {number!r} for {phone_id!r}, which is not a number like +447700900001"
        if len(set(self.modems.values())) < len(self.modems):
            yield "modems", "has the same number twice"
        if (
            is_sandbox
            and is_postgresql(self.database)
            and not is_loopback(urlsplit(self.database).hostname or "localhost")
        ):
            yield "database", "is not on this machine: a sandbox has carriers on this machine only"
