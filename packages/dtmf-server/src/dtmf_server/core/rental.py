"""Rentals: what happens to an SMS to a rented number, and how a rental may end."""

from dataclasses import dataclass
from enum import StrEnum

from dtmf.e164 import is_e164


class EndReason(StrEnum):
    """Why a rental ended. A live rental may end for any of these reasons; an ended one stays ended."""

    RENTER = "renter"  # the renter ended it
    DEPLETED = "depleted"  # a minute could not be paid
    LIMIT = "limit"  # it reached its `max_minutes` or `max_sats`
    TOKEN = "token"  # noqa: S105 - a reason, not a secret: the restricted token that started it was revoked or has expired
    OPERATOR = "operator"  # the operator suspended the account


class ActionKind(StrEnum):
    """The ways to pass on an SMS besides storing it."""

    FORWARD = "forward"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Action:
    """A rental's SMS action: where each SMS goes after it is stored."""

    kind: ActionKind
    destination: str


def action_for(destination: str | None) -> Action | None:
    """Return the action for an `sms_forwarded_to`: a number forwards, anything else is a webhook URL."""
    if destination is None:
        return None
    return Action(ActionKind.FORWARD if is_e164(destination) else ActionKind.WEBHOOK, destination)
