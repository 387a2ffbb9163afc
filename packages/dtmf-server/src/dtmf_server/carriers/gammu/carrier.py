"""A carrier of GSM modems under gammu-smsd: polls smsd's tables, hands SMS to smsd, and watches its modems."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial
from zoneinfo import ZoneInfo

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused, CheckResult, InboundSink, LinkStats
from dtmf_server.carriers.gammu import checks, tables
from dtmf_server.carriers.gammu.database import SmsdDatabase, SmsdUnavailable
from dtmf_server.carriers.gammu.inbox import Inbox
from dtmf_server.carriers.gammu.modem import Modem
from dtmf_server.carriers.gammu.outbox import Outbox
from dtmf_server.carriers.gammu.rows import InboxRow, creator_id, creator_prefix, outbox_parts
from dtmf_server.carriers.gammu.settings import GammuSettings
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.carriers.trace import mask
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.receipt_refs import exact
from dtmf_server.core.repeats import Repeats

log = logging.getLogger("dtmf.carriers")

SUBMIT_MAX_S = 60.0  # the wait for transactions before it included
LOOK_S = 2.0  # between looks at the modems


class GammuCarrier:
    """The modems of one smsd database."""

    def __init__(self, settings: GammuSettings, context: CarrierContext) -> None:
        self.name, self._settings, self._context = settings.name, settings, context
        self._zone = ZoneInfo(settings.time_zone) if settings.time_zone else None
        self._database = SmsdDatabase(settings.database)
        self._modems = {
            phone_id: Modem(settings.name, phone_id, number, silent_s=settings.silent_s)
            for phone_id, number in settings.modems.items()
        }
        self._inbox = Inbox(
            self._database, settings.modems, self._zone, wall_us=context.wall_us, stored=self._record_stored
        )
        self._outbox = Outbox(self._database, settings.modems, self._zone)
        self._is_running, self._looked_at = False, -LOOK_S
        self._faults = Repeats()

    async def run(self, sink: InboundSink) -> None:
        """Poll smsd's tables until cancelled."""
        self._is_running = True
        try:
            while True:
                try:
                    await self._poll(sink)
                except SmsdUnavailable as error:
                    self._lost(str(error))
                except StorageUnavailable as error:  # rows stay unprocessed until they can be stored
                    self._log_fault(str(error))
                else:
                    self._faults.worked(now_s=time.monotonic())
                await asyncio.sleep(self._settings.poll_ms / 1000)
        finally:
            self._is_running = False
            self._database.close()

    def can_submit(self) -> bool:
        """Return whether smsd runs one of the modems."""
        return self._is_running and any(modem.is_up for modem in self._modems.values())

    def traffic(self) -> Sequence[LinkStats]:
        """Return the statistics of each modem."""
        return [modem.stats for modem in self._modems.values()]

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Hand the SMS to smsd, once, and return its one reference."""
        modem = next((modem for modem in self._modems.values() if modem.number == message.sender), None)
        if modem is None:
            raise CarrierRefused("no modem has the number that sends", permanent=False)
        if not (self._is_running and modem.is_up):
            raise CarrierRefused("the modem is down", permanent=False)
        creator, parts = creator_id(self.name, message_id, message), outbox_parts(message_id, message.text)
        try:
            async with asyncio.timeout(SUBMIT_MAX_S):
                smsd_id = await self._outbox.enqueue(
                    creator,
                    phone_id=modem.phone_id,
                    to=message.to,
                    parts=parts,
                    wants_report=self._settings.delivery_report,
                )
        except TimeoutError:
            raise CarrierRefused.no_reply("smsd's database did not respond") from None
        except SmsdUnavailable as error:
            self._lost(str(error))
            if error.in_doubt:
                raise CarrierRefused.no_reply(str(error)) from error
            raise CarrierRefused(str(error), permanent=False) from error
        modem.stats.submitted += 1
        trace = self._context.trace
        if trace.is_on:
            text = f"outbox {smsd_id}: {len(parts)} segments by {modem.phone_id}, {mask(message.text)}"
            trace.record("out", text, at_us=self._context.wall_us())
        return [exact(creator)]

    async def find_submit(self, message_id: int, message: CarrierMessage, *, since_us: int) -> Sequence[str] | None:
        """Look the SMS up by its CreatorID, in `outbox` and `sentitems`."""
        creator = creator_id(self.name, message_id, message)
        try:
            return [exact(creator)] if await self._outbox.find(creator) else None
        except SmsdUnavailable as error:
            raise CarrierRefused(str(error), permanent=False) from error

    async def arrived_since(self, since_us: int) -> AsyncIterator[Sequence[InboundMessage | Receipt]]:
        """Yield the receipts that changed since then. `run` reads every unprocessed SMS, however old."""
        try:
            async with aclosing(self._outbox.changed_since(creator_prefix(self.name), since_us)) as batches:  # type: ignore[type-var]  # a generator
                async for batch in batches:
                    yield batch
        except SmsdUnavailable as error:
            raise CarrierRefused(str(error), permanent=False) from error

    async def check(self) -> Sequence[CheckResult]:
        """Test the database, each modem, and the SMS that wait."""
        try:
            found = await self._database.do(partial(checks.read, phone_ids=[*self._modems]), writes=True)
        except SmsdUnavailable as error:
            return [CheckResult("database", False, str(error), checks.DATABASE_FIX)]
        finally:
            self._database.close()
        return checks.results(found, self._settings, self._zone, now_us=self._context.wall_us())

    async def _poll(self, sink: InboundSink) -> None:
        if time.monotonic() >= self._looked_at + LOOK_S:
            phones = await self._database.do(tables.phones)
            self._looked_at = time.monotonic()
            for modem in self._modems.values():
                modem.look(phones, self._zone, now_us=self._context.wall_us())
        await self._inbox.receive(sink)
        await self._outbox.report(sink)

    def _record_stored(self, row: InboxRow) -> None:
        self._modems[row.phone_id].stats.arrived += 1
        trace = self._context.trace
        if trace.is_on:
            text = f"inbox {row.id}: {row.coding} at {row.phone_id}, UDH {row.udh or 'none'}, {mask(row.text)}"
            trace.record("in", text, at_us=self._context.wall_us())

    def _lost(self, reason: str) -> None:
        self._looked_at = -LOOK_S
        for modem in self._modems.values():
            modem.lost(reason, now_us=self._context.wall_us())
        self._log_fault(reason)

    def _log_fault(self, reason: str) -> None:
        if line := self._faults.failed(reason, now_s=time.monotonic()):
            log.warning("carrier %s: %s", self.name, line)
