"""Writes SMS to smsd's `outbox`, and reads from `sentitems` what happened to them.

An SMS is written only if neither table has its CreatorID. SMS that this process sent are looked up at every poll, and the
others when the service asks what changed since it last knew.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from dtmf_server.carriers.base import InboundSink
from dtmf_server.carriers.gammu import tables
from dtmf_server.carriers.gammu.database import Execute, SmsdDatabase
from dtmf_server.carriers.gammu.rows import TIME_FORMAT, OutboxPart, receipt
from dtmf_server.core.inbound import Receipt
from dtmf_server.core.receipt_refs import exact

BATCH_MAX = 500  # SMS
AWAITED_MAX = 1000  # SMS that are looked up at every poll
REPORTED_MAX = 50_000
REPEATED_HOURS = timedelta(hours=2)  # local times come twice when clocks are set back


class Outbox:
    """The SMS of one carrier at smsd. `numbers` has the number of each PhoneID."""

    def __init__(self, database: SmsdDatabase, numbers: Mapping[str, str], zone: ZoneInfo | None) -> None:
        self._database, self._numbers, self._zone = database, numbers, zone
        self._awaited: dict[int, str] = {}  # smsd's ID: the CreatorID
        self._reported: dict[str, Receipt] = {}  # by reference

    async def enqueue(
        self, creator: str, *, phone_id: str, to: str, parts: Sequence[OutboxPart], wants_report: bool
    ) -> int:
        """Hand an SMS to smsd unless it has it, and return smsd's ID of it. Raises SmsdUnavailable."""

        def work(execute: Execute) -> int:
            known = tables.find(execute, creator)
            if known is not None:
                return known
            return tables.enqueue(execute, creator, phone_id, to, parts, wants_report=wants_report)

        smsd_id = await self._database.do(work, writes=True)
        self._await(smsd_id, creator)
        return smsd_id

    async def find(self, creator: str) -> bool:
        """Return whether smsd has this SMS, waiting or sent. Raises SmsdUnavailable."""
        smsd_id = await self._database.do(partial(tables.find, creator=creator))
        if smsd_id is not None:
            self._await(smsd_id, creator)
        return smsd_id is not None

    async def report(self, sink: InboundSink) -> None:
        """Store what changed of the SMS that are awaited. Raises SmsdUnavailable, and whatever the sink raises."""
        awaited = [*self._awaited]
        for start in range(0, len(awaited), BATCH_MAX):
            if receipts := await self._changed(awaited[start : start + BATCH_MAX]):
                await sink.receive(receipts, ())
                self._remember(receipts)

    async def changed_since(self, prefix: str, since_us: int) -> AsyncIterator[Sequence[Receipt]]:
        """Yield the receipts of SMS with this prefix that changed since then. Raises SmsdUnavailable."""
        since, after_id = self._smsd_time(since_us), 0
        while True:
            query = partial(tables.changed, prefix=prefix, since=since, after_id=after_id, limit=BATCH_MAX)
            ids = await self._database.do(query)
            receipts = await self._changed(ids)
            yield receipts
            self._remember(receipts)  # the caller has stored them when it asks for more
            if len(ids) < BATCH_MAX:
                return
            after_id = ids[-1]

    async def _changed(self, ids: Sequence[int]) -> list[Receipt]:
        found = await self._database.do(partial(tables.sent, ids=ids))
        receipts = [receipt(rows, self._numbers) for rows in found.values()]
        return [one for one in receipts if one and self._reported.get(one.ref) != one]

    def _remember(self, receipts: Sequence[Receipt]) -> None:
        """These receipts are stored. An SMS whose state is final is not looked up any more."""
        self._reported |= {one.ref: one for one in receipts}
        for ref in [*self._reported][:-REPORTED_MAX]:
            del self._reported[ref]
        final = {one.ref for one in receipts if one.delivered is not None}
        self._awaited = {id_: creator for id_, creator in self._awaited.items() if exact(creator) not in final}

    def _await(self, smsd_id: int, creator: str) -> None:
        self._awaited[smsd_id] = creator
        if len(self._awaited) > AWAITED_MAX:
            del self._awaited[next(iter(self._awaited))]

    def _smsd_time(self, since_us: int) -> str:
        """Return a time of smsd's that is not later than this one, whether its version writes UTC or local time."""
        since = datetime.fromtimestamp(since_us / 1_000_000, UTC) - REPEATED_HOURS
        return min(since.strftime(TIME_FORMAT), since.astimezone(self._zone).strftime(TIME_FORMAT))
