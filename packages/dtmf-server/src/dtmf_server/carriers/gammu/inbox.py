"""Reads smsd's `inbox` and stores what it holds.

A row is marked as processed only once its SMS is stored. If the service is killed between the two, the row is read again and
the SMS is recognised by its `carrier_ref`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from zoneinfo import ZoneInfo

from dtmf_server.carriers.base import InboundSink, NotStored
from dtmf_server.carriers.gammu import tables
from dtmf_server.carriers.gammu.database import SmsdDatabase
from dtmf_server.carriers.gammu.rows import InboxRow, inbound

BATCH_MAX = 500  # rows
REREAD_S, RETRY_S = 60.0, 30.0


class Inbox:
    """The unprocessed SMS of some modems. `numbers` has the number of each PhoneID; `stored` is called with each row."""

    def __init__(
        self,
        database: SmsdDatabase,
        numbers: Mapping[str, str],
        zone: ZoneInfo | None,
        *,
        wall_us: Callable[[], int],
        stored: Callable[[InboxRow], None],
    ) -> None:
        self._database, self._numbers, self._zone = database, numbers, zone
        self._wall_us, self._stored = wall_us, stored
        self._read_up_to = 0  # every row up to this ID is processed, or refused, as far as is known
        self._reread_at = 0.0
        self._refused: dict[int, float] = {}  # rows that could not be stored, and when to try again

    async def receive(self, sink: InboundSink) -> None:
        """Store what is unprocessed, in batches. Raises SmsdUnavailable, and whatever the sink raises.

        IDs that were read are passed over, except once in REREAD_S: a lower ID may be committed after a higher one, and a
        new database begins its IDs again.
        """
        now_s, last_id = time.monotonic(), await self._database.do(tables.last_id)
        if now_s >= self._reread_at or last_id < self._read_up_to:
            self._reread_at, self._read_up_to = now_s + REREAD_S, 0
            self._refused = {id_: retry_at for id_, retry_at in self._refused.items() if retry_at > now_s}
        while True:
            query = partial(tables.unprocessed, phone_ids=[*self._numbers], after_id=self._read_up_to, limit=BATCH_MAX)
            rows = await self._database.do(query)
            if batch := [row for row in rows if row.id not in self._refused]:
                await self._store(sink, batch)
            if rows:
                self._read_up_to = rows[-1].id
            if len(rows) < BATCH_MAX:
                return

    async def _store(self, sink: InboundSink, rows: Sequence[InboxRow]) -> None:
        """Store SMS, then mark them as processed. Those that can't be stored stay as they are."""
        now_us = self._wall_us()
        items = [inbound(row, self._numbers[row.phone_id], zone=self._zone, now_us=now_us) for row in rows]
        stored = rows
        try:
            notes = await sink.receive(items, ())
        except NotStored as error:
            notes, places, retry_at = error.notes, set(error.places), time.monotonic() + RETRY_S
            stored = [row for place, row in enumerate(rows) if place not in places]
            self._refused |= {rows[place].id: retry_at for place in places}
            self._reread_at = min(self._reread_at, retry_at)
        await self._database.do(partial(tables.mark_processed, rows=stored), writes=True)
        sink.answered(notes)
        for row in stored:
            self._stored(row)
