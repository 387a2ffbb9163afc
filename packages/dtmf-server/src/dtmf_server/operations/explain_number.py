"""Why a number stopped: its rentals, each with how it ended, and what else keeps SMS from its renter."""

import json
from collections.abc import Sequence

from msgspec import Struct

from dtmf_server.core.errors import Refusal
from dtmf_server.core.rental import EndReason
from dtmf_server.core.units import DAY_US
from dtmf_server.operations import carrier_health, ended
from dtmf_server.storage import api_requests, number_history, operator_actions
from dtmf_server.storage.db import Row, Tx

RENTALS_MAX = 5
REQUESTS_READ = 2000
LISTED_MAX = 20
_BEYOND = 2**62


class UnknownNumber(Refusal):
    """This number was never in stock."""

    status, code, title = 404, "unknown_number", "Unknown number"


class RentalEnd(Struct, frozen=True, kw_only=True):
    """How a rental ended. `balance`: the account's when its balance ran out; None if it is not known, because what was booked
    then also pays later minutes. `request_id`: the API request that ended it, if one did and its record is still stored.
    `token_…`: the restricted token that started the rental."""

    at_us: int
    reason: str
    balance: int | None
    max_minutes: int | None
    max_sats: int | None
    token_label: str | None
    token_revoked_at_us: int | None
    token_expires_at_us: int | None
    request_id: str | None
    request_token_id: int | None


class Disabled(Struct, frozen=True):
    """A webhook was switched off, because its receiver answered 410."""

    at_us: int
    reason: str


class Action(Struct, frozen=True):
    """An operator's action on the account within a day of the end of the rental."""

    at_us: int
    operator: str
    action: str
    reason: str


class RentalStory(Struct, frozen=True, kw_only=True):
    """A rental. `end`: None while it is live."""

    rental_id: int
    account_id: int
    group_id: str
    started_at_us: int
    cost_per_minute: int
    sms_forwarded: str | None  # 'webhook' or 'forward'
    last_sms_at_us: int | None
    end: RentalEnd | None
    webhook_disabled: Sequence[Disabled]
    actions: Sequence[Action]


class NumberExplanation(Struct, frozen=True, kw_only=True):
    """A number and its rentals, the last to start first. `links_down`: links of carriers that are not up now, with the
    reason; any of them may bring the number's SMS."""

    e164: str
    group_id: str
    is_rented: bool
    retired_at_us: int | None
    rentals: Sequence[RentalStory]
    links_down: dict[str, str]


def explain(
    tx: Tx, e164: str, *, now_us: int, wall_us: int, from_us: int = 0, until_us: int = _BEYOND
) -> NumberExplanation:
    """Explain a number by its rentals that were live in a span of time, at most RENTALS_MAX. Raises UnknownNumber."""
    stocked = number_history.stocked(tx, e164)
    if stocked is None:
        raise UnknownNumber(f"{e164!r} was never in stock: a number is written like +12025550123")
    rows = number_history.rentals(tx, e164, from_us=from_us, until_us=until_us, limit=RENTALS_MAX)
    stories = [_story(tx, {**row, **_end_now(tx, row, now_us=now_us)}) for row in rows]
    return NumberExplanation(
        e164=e164,
        group_id=stocked["group_id"],
        is_rented=bool(stocked["rented"]),
        retired_at_us=stocked["retired_at_us"],
        rentals=stories,
        links_down={f"{one.carrier} {one.link}": one.reason for one in carrier_health.faults(tx, wall_us=wall_us)},
    )


def _end_now(tx: Tx, rental: Row, *, now_us: int) -> dict[str, object]:
    """Return how a rental has ended that the meter has not written yet."""
    if rental["ended_at_us"] is not None:
        return {}
    over = next((r for r in ended.of_number(tx, rental["account_id"], rental["e164"], now_us=now_us)), None)
    if over is None or over["id"] != rental["id"]:
        return {}
    return {"ended_at_us": over["ended_at_us"], "end_reason": over["end_reason"]}


def _story(tx: Tx, rental: Row) -> RentalStory:
    ended_us = rental["ended_at_us"]
    disabled = number_history.webhooks_disabled(tx, rental["account_id"], limit=LISTED_MAX)
    return RentalStory(
        rental_id=rental["id"],
        account_id=rental["account_id"],
        group_id=rental["group_id"],
        started_at_us=rental["started_at_us"],
        cost_per_minute=rental["cost_per_minute"],
        sms_forwarded=rental["action"],
        last_sms_at_us=number_history.last_received_us(tx, rental["id"]),
        end=None if ended_us is None else _end(tx, rental),
        webhook_disabled=[
            Disabled(event["at_us"], str(data.get("reason", "")))
            for event in disabled
            if rental["started_at_us"] <= event["at_us"] <= (ended_us or _BEYOND)
            and (data := json.loads(event["data"])).get("e164") == rental["e164"]
        ],
        actions=[] if ended_us is None else _actions(tx, rental["account_id"], at_us=ended_us),
    )


def _end(tx: Tx, rental: Row) -> RentalEnd:
    request = None
    if rental["end_reason"] in (EndReason.RENTER, EndReason.TOKEN):
        for row in number_history.deletions(tx, rental["account_id"], limit=REQUESTS_READ):
            if rental["id"] in api_requests.changes_of(row).get("rentals", ()):
                request = row
    return RentalEnd(
        at_us=rental["ended_at_us"],
        reason=rental["end_reason"],
        balance=_left(tx, rental),
        max_minutes=rental["max_minutes"],
        max_sats=rental["max_sats"],
        token_label=rental["token_label"],
        token_revoked_at_us=rental["token_revoked_at_us"],
        token_expires_at_us=rental["token_expires_wall_us"],
        request_id=None if request is None else request["request_id"],
        request_token_id=None if request is None else request["token_id"],
    )


def _left(tx: Tx, rental: Row) -> int | None:
    """Return the balance that did not pay the next minute, if the last booking says it."""
    booked = number_history.balance_at(tx, rental["account_id"], at_us=rental["ended_at_us"])
    is_left = rental["end_reason"] == EndReason.DEPLETED and booked is not None and booked < rental["cost_per_minute"]
    return booked if is_left else None


def _actions(tx: Tx, account_id: int, *, at_us: int) -> list[Action]:
    rows = operator_actions.newest_of_account(tx, account_id, before=_BEYOND, limit=LISTED_MAX)
    return [
        Action(row["at_wall_us"], row["operator"], row["action"], row["reason"])
        for row in rows
        if abs(row["at_wall_us"] - at_us) <= DAY_US
    ]
