"""Prices of rentals in pegged groups: the one each started with, and every change."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from dtmf_server.core.billing import LiveRental
from dtmf_server.core.units import DAY_US
from dtmf_server.storage import rentals, schema
from dtmf_server.storage.db import Row, Tx

PAGE = 1000


class RentalPrice(Struct, frozen=True):
    """A price of a rental, for its minutes from `from_minute` on; those before it cost `from_sats`. `rate`: the price of one
    bitcoin in `currency` that it was computed from."""

    rental_id: int
    from_minute: int
    since_us: int
    cost_per_minute: int
    cost_per_inbound_message: int | None
    monthly_cap: int | None
    from_sats: int
    currency: str
    rate: str


def add(tx: Tx, prices: Iterable[RentalPrice]) -> None:
    """Add prices of rentals."""
    columns = RentalPrice.__struct_fields__
    tx.insert(schema.rental_prices, columns, [tuple(getattr(each, name) for name in columns) for each in prices])


def due(tx: Tx, *, until_us: int, limit: int) -> list[Row]:
    """Return live rentals whose price applies until then at the latest, and whose next price is not announced: `id`,
    `account_id`."""
    return tx.all(
        "SELECT id, account_id FROM rentals WHERE ended_at_us IS NULL AND change_at_us IS NULL"
        " AND price_until_us IS NOT NULL AND price_until_us <= :until_us ORDER BY price_until_us LIMIT :limit",
        until_us=until_us,
        limit=limit,
    )


def with_groups(tx: Tx, rental_ids: list[int]) -> list[Row]:
    """Return those of these rentals that are live, with the prices of their groups as `group_…`."""
    return tx.all(
        "SELECT r.*, g.currency, g.rate, g.rate_at_wall_us, g.rental_cost_per_minute AS group_minute,"
        " g.cost_per_inbound_message AS group_sms, g.monthly_cap AS group_cap FROM rentals r JOIN groups g ON g.id = r.group_id"
        " WHERE r.id = ANY(:ids) AND r.ended_at_us IS NULL AND r.change_at_us IS NULL ORDER BY r.id",
        ids=rental_ids,
    )


def owners(tx: Tx, rental_ids: list[int]) -> list[Row]:
    """Return these rentals' accounts: `id`, `account_id`."""
    return tx.all("SELECT id, account_id FROM rentals WHERE id = ANY(:ids)", ids=rental_ids)


def keep(tx: Tx, kept: list[tuple[int, int | None]]) -> None:
    """Let rentals keep their prices, each until then; None: always."""
    tx.update(schema.rentals, ("id", "price_until_us"), kept)


def announce(tx: Tx, changes: list[tuple[int, RentalPrice]]) -> None:
    """Write the next price of rentals."""
    columns = ("id", "change_at_us", "next_cost_per_minute", "next_cost_per_inbound_message", "next_monthly_cap")
    rows = [(id_, p.since_us, p.cost_per_minute, p.cost_per_inbound_message, p.monthly_cap) for id_, p in changes]
    tx.update(schema.rentals, columns, rows)
    add(tx, [price for _, price in changes])


def changing(tx: Tx, account_id: int, *, at_us: int, limit: int) -> list[LiveRental]:
    """Return an account's live rentals whose price changes by then, those that change first; at most `limit`."""
    rows = tx.all(
        "SELECT id FROM rentals WHERE account_id = :account_id AND ended_at_us IS NULL AND change_at_us IS NOT NULL"
        " AND change_at_us <= :at_us ORDER BY change_at_us, id LIMIT :limit",
        account_id=account_id,
        at_us=at_us,
        limit=limit,
    )
    return rentals.running(tx, [row["id"] for row in rows])


def change(tx: Tx, changed: list[tuple[LiveRental, LiveRental]]) -> None:
    """Write rentals, each before and after the change of its price. Their minutes until then must be booked."""
    tx.run(
        f"UPDATE rentals SET price_until_us = change_at_us + price_days * {DAY_US} WHERE id = ANY(:ids)",
        ids=[rental.rental_id for rental, _ in changed],
    )
    rows = []
    for before, after in changed:
        assert before.change is not None, "the caller has read it"
        minutes = (after.rental_id, after.priced_minutes, after.priced_minutes, after.priced_sats)
        prices = (after.cost_per_minute, before.change.cost_per_inbound_message, after.monthly_cap)
        rows.append((*minutes, *prices, None, None, None, None))
    columns = (
        *("id", "booked_minutes", "priced_minutes", "priced_sats"),
        *("cost_per_minute", "cost_per_inbound_message", "monthly_cap"),
        *("change_at_us", "next_cost_per_minute", "next_cost_per_inbound_message", "next_monthly_cap"),
    )
    tx.update(schema.rentals, columns, rows)


def applied(tx: Tx) -> Iterator[Row]:
    """Yield every price of every rental that was announced or applies, in order, with the rental; for verification."""
    rental_id, minute = 0, -1
    while rows := tx.all(
        "SELECT p.*, r.started_at_us, r.ended_at_us, r.priced_minutes, r.priced_sats, r.change_at_us,"
        " r.cost_per_minute AS rental_minute, r.cost_per_inbound_message AS rental_sms, r.monthly_cap AS rental_cap,"
        " r.next_cost_per_minute, r.next_cost_per_inbound_message, r.next_monthly_cap"
        " FROM rental_prices p JOIN rentals r ON r.id = p.rental_id"
        " WHERE (p.rental_id = :rental_id AND p.from_minute > :minute) OR p.rental_id > :rental_id"
        " ORDER BY p.rental_id, p.from_minute LIMIT :page",
        rental_id=rental_id,
        minute=minute,
        page=PAGE,
    ):
        yield from rows
        rental_id, minute = rows[-1]["rental_id"], rows[-1]["from_minute"]


def rates_between(tx: Tx, account_id: int, *, after_us: int, until_us: int) -> list[Row]:
    """Return the rates of the minutes that an account's rentals had in a span of time: `currency`, `rate`."""
    return tx.all(
        "SELECT DISTINCT p.currency, p.rate FROM rentals r JOIN rental_prices p ON p.rental_id = r.id"
        " WHERE r.account_id = :account_id AND p.since_us <= :until_us AND (r.ended_at_us IS NULL OR"
        " (r.ended_at_us > :after_us AND p.since_us <= r.ended_at_us)) AND NOT EXISTS (SELECT 1 FROM rental_prices n"
        "  WHERE n.rental_id = p.rental_id AND n.from_minute > p.from_minute AND n.since_us <= :after_us)"
        " ORDER BY p.currency, p.rate",
        account_id=account_id,
        after_us=after_us,
        until_us=until_us,
    )


def first_rate(tx: Tx, rental_id: int) -> list[Row]:
    """Return the rate that a rental started with: `currency`, `rate`; nothing outside pegged groups."""
    return tx.all(
        "SELECT currency, rate FROM rental_prices WHERE rental_id = :rental_id AND from_minute = 0", rental_id=rental_id
    )


def rate_of_message(tx: Tx, message_id: int) -> list[Row]:
    """Return the rate of the price of an inbound SMS: `currency`, `rate`; nothing outside pegged groups."""
    return tx.all(
        "SELECT p.currency, p.rate FROM messages m JOIN rental_prices p ON p.rental_id = m.rental_id"
        " WHERE m.id = :message_id AND p.since_us <= m.at_us ORDER BY p.from_minute DESC LIMIT 1",
        message_id=message_id,
    )


def exist(tx: Tx) -> bool:
    """Return True if a rental in a pegged group has ever started."""
    return tx.one("SELECT 1 FROM rental_prices LIMIT 1") is not None


def announced_by_group(tx: Tx) -> dict[str, int]:
    """Return for how many live rentals of each group a next price is announced."""
    rows = tx.all(
        "SELECT group_id, count(*) AS rentals FROM rentals WHERE ended_at_us IS NULL AND change_at_us IS NOT NULL"
        " GROUP BY group_id"
    )
    return {row["group_id"]: int(row["rentals"]) for row in rows}


def live(tx: Tx, *, group_id: str | None) -> Iterator[Row]:
    """Yield the live rentals whose prices follow their group, of all groups or of one, with the group's current prices as
    `group_…`; in the order of their IDs."""
    after = 0
    while rows := tx.all(
        "SELECT r.id, r.e164, r.group_id, r.account_id, r.cost_per_minute, r.cost_per_inbound_message, r.price_until_us,"
        " r.change_at_us, r.next_cost_per_minute, r.next_cost_per_inbound_message, g.rental_cost_per_minute AS group_minute,"
        " g.cost_per_inbound_message AS group_sms FROM rentals r JOIN groups g ON g.id = r.group_id"
        " WHERE r.ended_at_us IS NULL AND r.price_days IS NOT NULL AND r.id > :after"
        " AND (:group_id = '' OR r.group_id = :group_id) ORDER BY r.id LIMIT :page",
        after=after,
        group_id=group_id or "",
        page=PAGE,
    ):
        yield from rows
        after = rows[-1]["id"]
