"""Deliveries as the renter sees them: the log, replays and tests."""

from collections.abc import Callable

from dtmf_server.core.errors import NotFound, Refusal
from dtmf_server.core.units import INT64_MAX
from dtmf_server.operations import token_limits
from dtmf_server.operations.rent import live_rental
from dtmf_server.storage import accounts, delivery_log, delivery_queue
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.delivery_queue import NewDelivery


class NoWebhook(Refusal):
    """This number has no webhook to test: set one first."""

    status, code, title = 409, "no_webhook", "No webhook"


class TextErased(Refusal):
    """The text of this SMS was erased, so there is nothing left to deliver."""

    status, code, title = 409, "text_erased", "Text erased"


class MayBeTaken(Refusal):
    """The carrier may have accepted this SMS but has not confirmed it, so it is not sent again: send a new one."""

    status, code, title = 409, "may_be_taken", "The carrier may have accepted it"


def deliveries(
    tx: Tx, account_id: int, *, state: str | None, e164: str | None, since_us: int, after: int, limit: int
) -> list[tuple[Row, list[Row]]]:
    """Return the account's deliveries with IDs above `after`, oldest first, each with its attempts."""
    rows = delivery_log.of_account(tx, account_id, state=state, e164=e164, since_us=since_us, after=after, limit=limit)
    attempts = delivery_log.attempts_of(tx, [row["id"] for row in rows])
    return [(row, attempts.get(row["id"], [])) for row in rows]


def one(
    tx: Tx,
    account_id: int,
    delivery_id: int,
    *,
    now_us: int,
    retried_by: int | None = None,
    require: Callable[[str], None] = lambda _scope: None,
) -> tuple[Row, list[Row]]:
    """Queue a delivery again and return it with its attempts so far. `retried_by`: the restricted token that retries it;
    `require` raises unless it has a scope. Raises NotFound, TextErased, MayBeTaken, NotItsRental."""
    accounts.lock(tx, account_id)
    row = delivery_log.one_of_account(tx, account_id, delivery_id) if 0 < delivery_id <= INT64_MAX else None
    if row is None:
        raise NotFound(f"this account has no delivery {delivery_id}")
    if row["kind"] in ("send", "forward"):
        require("send")
        token_limits.require_may_spend(tx, account_id, row["rental_id"], retried_by)
    if row["erased"]:
        raise TextErased
    if row["state"] in ("in_doubt", "unknown"):
        raise MayBeTaken
    delivery_log.replay(tx, delivery_id, now_us=now_us)
    replayed = delivery_log.one_of_account(tx, account_id, delivery_id)
    assert replayed is not None
    return replayed, delivery_log.attempts_of(tx, [delivery_id]).get(delivery_id, [])


def parked_since(tx: Tx, account_id: int, *, since_us: int, now_us: int) -> int:
    """Queue parked webhooks created since `since_us` again. Return how many."""
    accounts.lock(tx, account_id)
    return delivery_log.replay_parked(tx, account_id, since_us=since_us, now_us=now_us)


def test(tx: Tx, account_id: int, e164: str, *, now_us: int) -> Row:
    """Queue a sample delivery to the number's webhook and return it. Raises NumberNotRented, NoWebhook."""
    accounts.lock(tx, account_id)
    rental = live_rental(tx, account_id, e164, now_us=now_us)
    if rental["action"] != "webhook":
        raise NoWebhook
    new = NewDelivery(account_id, rental["id"], None, "test", rental["destination"])
    delivery_queue.add(tx, [new], now_us=now_us)
    row = delivery_log.newest_of_account(tx, account_id)
    assert row is not None
    return row
