"""Whether smsd runs a modem, as its `phones` table shows. Pure.

smsd writes to the modem's row at least every `statusfrequency` seconds, so a row that does not change means that smsd is
stopped or has lost the modem. The first row that is seen is judged by its time, in the zones that smsd's versions use.
"""

from collections.abc import Sequence
from datetime import UTC, tzinfo

from dtmf_server.carriers.base import LinkStats
from dtmf_server.carriers.gammu.rows import wall_us
from dtmf_server.carriers.gammu.tables import Phone
from dtmf_server.core.units import SECOND_US


class Modem:
    """One modem of smsd: its PhoneID, the number of its SIM, and its link."""

    def __init__(self, carrier: str, phone_id: str, number: str, *, silent_s: int) -> None:
        self.phone_id, self.number, self._silent_us = phone_id, number, silent_s * SECOND_US
        self.stats = LinkStats(f"{carrier} modem {phone_id}")
        self._phone: Phone | None = None

    @property
    def is_up(self) -> bool:
        """Return whether smsd runs this modem."""
        return self.stats.state == "bound"

    def lost(self, reason: str, *, now_us: int) -> None:
        """Record that smsd's tables can't be read."""
        self.stats.move("down", at_us=now_us, reason=reason)

    def look(self, phones: Sequence[Phone], zone: tzinfo | None, *, now_us: int) -> None:
        """Judge the modem by the rows of `phones`. A modem that was replaced has more than one; the last counts."""
        phone = next((row for row in reversed(phones) if row.phone_id == self.phone_id), None)
        if phone is None:
            self.stats.move("down", at_us=now_us, reason=f"smsd has no modem with PhoneID {self.phone_id!r}")
            return
        if phone != self._phone:
            is_first = self._phone is None
            self._phone = phone
            if not is_first or written_recently(phone, zone, now_us=now_us, silent_us=self._silent_us):
                self.stats.last_seen_us = now_us
        if now_us - self.stats.last_seen_us <= self._silent_us:
            self.stats.move("bound", at_us=now_us)
        else:
            reason = (
                f"smsd has not updated modem {self.phone_id!r}: is it running? SMS stay on the SIM, which is soon full"
            )
            self.stats.move("down", at_us=now_us, reason=reason)


def written_recently(phone: Phone, zone: tzinfo | None, *, now_us: int, silent_us: int) -> bool:
    """Return whether a row of `phones` was written a moment ago. smsd up to 1.42 writes UTC to this column of SQLite, and
    else its local time."""
    times = (wall_us(phone.updated, one, now_us=now_us) for one in (zone, UTC))
    return any(time is not None and now_us - time <= silent_us for time in times)
