"""A rental: what an SMS to its number does, and how it may end."""

from dataclasses import dataclass
from enum import StrEnum

from dtmf.e164 import is_e164


class EndReason(StrEnum):
    """Why a rental is over. A live rental may end for any of them, and an ended one stays ended."""

    RENTER = "renter"  # the renter ended it
    DEPLETED = "depleted"  # a minute could not be paid


class ActionKind(StrEnum):
    """What happens to an SMS besides being stored."""

    FORWARD = "forward"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Action:
    """A rental's SMS action: where each SMS goes after it is stored."""

    kind: ActionKind
    destination: str


def action_for(destination: str | None) -> Action | None:
    """The action that a `sms_forwarded_to` stands for: a number forwards, anything else is a webhook's URL."""
    if destination is None:
        return None
    return Action(ActionKind.FORWARD if is_e164(destination) else ActionKind.WEBHOOK, destination)
