"""Ended rentals: which, when and why, as long as their texts are stored.

The balance may have run out before the meter has written it: such a rental is shown as ended all the same, from the
instant at which its minute could not be paid.
"""

from dataclasses import dataclass
from typing import Any

from dtmf_server.core.billing import minutes_started
from dtmf_server.core.errors import NumberNotRented
from dtmf_server.core.rental import EndReason
from dtmf_server.core.timestamps import iso
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.operations import account
from dtmf_server.storage import ended_rentals, rentals
from dtmf_server.storage.db import Row, Tx

RAN_OUT_SHOWN_US = 7 * DAY_US
OF_NUMBER_MAX = 20
UNWRITTEN_MAX = 200  # of thousands that end at once, until the meter has written them
WHY = {
    EndReason.RENTER: "this account ended it",
    EndReason.DEPLETED: "the balance ran out",
    EndReason.LIMIT: "it reached its limit",
    EndReason.TOKEN: "the token that started it was revoked or has expired",
    EndReason.OPERATOR: "the operator suspended this account",
}


@dataclass(frozen=True, slots=True)
class Money:
    """Facts about an account's balance: when it runs out, and the rentals that ended when it did."""

    runs_out_at_us: int | None
    ran_out: list[dict[str, Any]]  # rentals, the last to end first
    day_cost: int  # satoshis per day of the live rentals, or else of those that ended


def money(tx: Tx, account_id: int, *, now_us: int, warn_us: int) -> Money:
    """Return when the balance runs out, if within `warn_us`, and the rentals it ended in the last week. Renting again
    acknowledges those."""
    row = ended_rentals.runs_out(tx, account_id, now_us=now_us)
    now_us, depletes_at_us = row["now_us"], row["depletes_at_us"]
    unwritten = _unwritten(tx, account_id, now_us=now_us)
    if unwritten:
        depletes_at_us = account.standing(tx, account_id, now_us=now_us).depletes_at_us
    written = ended_rentals.newest_depleted(tx, account_id, ended_after_us=now_us - RAN_OUT_SHOWN_US)
    ran_out = [rental for rental in unwritten if rental["end_reason"] == EndReason.DEPLETED]
    ran_out += [dict(rental) for rental in written]
    if ran_out and not unwritten:
        started_us = ended_rentals.newest_live_start_us(tx, account_id)
        ran_out = [] if started_us is not None and started_us > ran_out[0]["ended_at_us"] else ran_out
    soon = depletes_at_us is not None and depletes_at_us - now_us <= warn_us
    per_minute = account.standing(tx, account_id, now_us=now_us).cost_per_minute if soon else 0
    per_minute = per_minute or sum(rental["cost_per_minute"] for rental in ran_out)
    return Money(depletes_at_us if soon else None, ran_out, per_minute * DAY_US // MINUTE_US)


def newest(tx: Tx, account_id: int, *, before: int | None, limit: int, now_us: int) -> list[dict[str, Any]]:
    """Return a page of the account's ended rentals, the last to end first."""
    unwritten = _unwritten(tx, account_id, now_us=now_us) if before is None else []
    rows = ended_rentals.newest(tx, account_id, before=before, limit=limit)
    return (unwritten + [dict(row) for row in rows])[:limit]


def of_id(tx: Tx, account_id: int, rental_id: int, *, now_us: int) -> dict[str, Any]:
    """Return one ended rental of the account. Raises NumberNotRented."""
    row = ended_rentals.of_id(tx, account_id, rental_id)
    found = [dict(row)] if row else [r for r in _unwritten(tx, account_id, now_us=now_us) if r["id"] == rental_id]
    if not found:
        raise NumberNotRented
    return found[0]


def of_number(tx: Tx, account_id: int, e164: str, *, now_us: int) -> list[dict[str, Any]]:
    """Return the account's ended rentals of this number, the last to end first."""
    unwritten = [rental for rental in _unwritten(tx, account_id, now_us=now_us) if rental["e164"] == e164]
    return unwritten + [dict(row) for row in ended_rentals.of_number(tx, account_id, e164, limit=OF_NUMBER_MAX)]


def not_rented(tx: Tx, account_id: int, e164: str, *, now_us: int) -> NumberNotRented:
    """Return the refusal for a number that the account does not rent now, with the end and reason of its last rental if
    any."""
    found = of_number(tx, account_id, e164, now_us=now_us)
    if not found:
        return NumberNotRented(f"this account does not currently rent {e164}")
    last = found[0]
    return NumberNotRented(
        f"this account does not currently rent {e164}: its rental ended at {iso(last['ended_at_us'])} because"
        f" {WHY[EndReason(last['end_reason'])]}; GET /api/v1/messages?e164=%2B{e164[1:]} lists the messages it received"
    )


def _unwritten(tx: Tx, account_id: int, *, now_us: int) -> list[dict[str, Any]]:
    """Return rentals that a limit or a lack of balance has ended but the meter has not written yet, the last to end first."""
    row = ended_rentals.runs_out(tx, account_id, now_us=now_us)
    if all(row[due] is None or row[due] > row["now_us"] for due in ("depletes_at_us", "limit_at_us")):
        return []
    ended = account.standing(tx, account_id, now_us=now_us).ended[-UNWRITTEN_MAX:]
    found = []
    for running, at_us in reversed(ended):
        over: Row = rentals.by_id(tx, running.rental_id)
        paid_minutes = (
            minutes_started(running.started_at_us, at_us) - 1
        )  # the minute that starts as the rental ends is not paid
        reason = EndReason.LIMIT if running.limit_at_us == at_us else EndReason.DEPLETED
        end = {"ended_at_us": at_us, "end_reason": reason.value, "booked_minutes": paid_minutes}
        found.append(dict(over) | end)
    return found
