"""Which carrier an SMS leaves by: the first of its group's that is up."""

from collections.abc import Sequence
from dataclasses import dataclass

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused, SmsCarrier


@dataclass(frozen=True, slots=True)
class AcceptedSubmit:
    """The carrier that took an SMS, and its reference of each segment."""

    carrier: str
    refs: tuple[str, ...]


class CarrierRouter:
    """This process's carriers. `here` while their links are run by it and by no other."""

    def __init__(self, carriers: Sequence[SmsCarrier]) -> None:
        self.carriers, self.here = carriers, False

    async def submit(self, message_id: int, message: CarrierMessage, *, order: Sequence[str]) -> AcceptedSubmit:
        """Hands an SMS to the first carrier of `order` that is up (none named: of all); to the next if that one
        surely did not take it. Raises CarrierRefused."""
        if not self.carriers:
            raise CarrierRefused("no carrier is configured", permanent=False)
        named = {carrier.name: carrier for carrier in self.carriers}
        allowed = [named[name] for name in order if name in named] if order else [*self.carriers]
        if not allowed:
            raise CarrierRefused("no carrier of this number's group is configured", permanent=False)
        refused = CarrierRefused("the carrier's link is down", permanent=False, may_be_taken=bool(message.taken))
        refused.carrier = allowed[0].name
        for carrier in allowed:
            if not carrier.can_submit():
                continue
            try:
                return AcceptedSubmit(carrier.name, tuple(await carrier.submit(message_id, message)))
            except CarrierRefused as error:
                refused, refused.carrier = error, carrier.name
                if error.permanent or error.may_be_taken:
                    break
        raise refused
