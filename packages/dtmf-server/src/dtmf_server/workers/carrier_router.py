"""Choose the carrier for an SMS: the first of its group's carriers that is up. If a carrier can be queried, query it before
the SMS counts as in doubt."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused, FindsSubmits, SmsCarrier
from dtmf_server.core.answer_times import rounded_ms
from dtmf_server.core.units import HOUR_US
from dtmf_server.runtime.clock import wall_us

FIND_AFTER_S = 3.0  # a carrier may list an SMS only a moment after it accepted it


@dataclass(frozen=True, slots=True)
class AcceptedSubmit:
    """The carrier that accepted an SMS, and its reference for each segment."""

    carrier: str
    refs: tuple[str, ...]


class CarrierRouter:
    """This process's carriers. `owns_links` is True while this process, and no other, runs their links. `recoveries` counts
    how often one of them came up."""

    def __init__(
        self,
        carriers: Sequence[SmsCarrier],
        *,
        find_after_s: float = FIND_AFTER_S,
        wall_us: Callable[[], int] = wall_us,
    ) -> None:
        self.carriers, self.owns_links, self.recoveries = carriers, False, 0
        self._find_after_s, self._wall_us = find_after_s, wall_us
        self._answer_times = Counter[tuple[str, int, int]]()  # carrier, hour, rounded milliseconds

    @property
    def queryable(self) -> frozenset[str]:
        """The names of the carriers that can be asked whether they accepted an SMS."""
        return frozenset(carrier.name for carrier in self.carriers if isinstance(carrier, FindsSubmits))

    def take_answer_times(self, carrier: str) -> list[tuple[int, int, int]]:
        """Remove and return the carrier's answers since the last call: hour, rounded milliseconds, how many."""
        taken = [(hour, ms, count) for (name, hour, ms), count in self._answer_times.items() if name == carrier]
        for hour, ms, _ in taken:
            del self._answer_times[carrier, hour, ms]
        return taken

    def first_up(self, order: Sequence[str]) -> str | None:
        """Return the name of the carrier that `submit` would start with; None if none is up."""
        return next((carrier.name for carrier in self._allowed(order) if carrier.can_submit()), None)

    async def submit(
        self,
        message_id: int,
        message: CarrierMessage,
        *,
        order: Sequence[str],
        recorded: str | None,
        record: Callable[[str], Awaitable[bool]],
    ) -> AcceptedSubmit:
        """Submit an SMS to the first carrier in `order` (if empty: of all carriers) that is up. If that carrier certainly
        does not have it and may accept it later, submit it to the next.

        The carrier's name is on record before it gets the SMS: `recorded` is, and another is passed to `record`, which
        returns False if the SMS must not be submitted any more. Raises CarrierRefused.
        """
        if not self.carriers:
            raise CarrierRefused("no carrier is configured", permanent=False)
        allowed = self._allowed(order)
        if not allowed:
            raise CarrierRefused("no carrier of this number's group is configured", permanent=False)
        refused = CarrierRefused("the carrier's link is down", permanent=False, may_be_taken=bool(message.taken))
        refused.carrier = allowed[0].name
        for carrier in allowed:
            if not carrier.can_submit():
                continue
            if carrier.name != recorded:
                if not await record(carrier.name):
                    break
                recorded = carrier.name
            try:
                return AcceptedSubmit(carrier.name, tuple(await self._submit(carrier, message_id, message)))
            except CarrierRefused as error:
                refused, refused.carrier = error, carrier.name
                if error.permanent or error.may_be_taken:
                    break
        raise refused

    def _allowed(self, order: Sequence[str]) -> list[SmsCarrier]:
        named = {carrier.name: carrier for carrier in self.carriers}
        return [named[name] for name in order if name in named] if order else [*self.carriers]

    async def _submit(self, carrier: SmsCarrier, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Submit to one carrier. If it does not respond and can be queried, ask it whether it has the SMS."""
        started_us, started_ns = self._wall_us(), time.perf_counter_ns()
        try:
            try:
                return await carrier.submit(message_id, message)
            finally:
                took_us = (time.perf_counter_ns() - started_ns) // 1000
                self._answer_times[carrier.name, self._wall_us() // HOUR_US, rounded_ms(took_us)] += 1
        except CarrierRefused as error:
            if not (error.in_doubt and isinstance(carrier, FindsSubmits)):
                raise
            refused = error
        await asyncio.sleep(self._find_after_s)
        try:
            found = await carrier.find_submit(message_id, message, since_us=started_us)
        except CarrierRefused:
            raise refused from None
        if found is None:
            raise CarrierRefused(refused.reason, permanent=False) from None
        return found
