"""The operator's audit log: each action records who carried it out and why, in its own transaction."""

from dataclasses import dataclass

from dtmf_server.storage import operator_actions
from dtmf_server.storage.db import Tx

OBJECT_MAX = 500


@dataclass(frozen=True, slots=True)
class By:
    """The operator who acts, the reason given (may be empty), and the wall time."""

    operator: str
    reason: str
    wall_us: int


def record(
    tx: Tx, by: By, action: str, object_: str, *, account_id: int | None = None, sats: int | None = None
) -> None:
    """Record an action, like 'accounts open', in the transaction that carries it out. `object_`: what it was applied to.
    `account_id`: the account that it concerns. `sats`: what it moved."""
    operator_actions.append(
        tx,
        operator=by.operator,
        action=action,
        object_="".join(c if c.isprintable() else "?" for c in object_)[:OBJECT_MAX],
        reason=by.reason,
        wall_us=by.wall_us,
        account_id=account_id,
        sats=sats,
    )
