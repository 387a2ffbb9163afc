"""Prices of pegged groups, in millionths of the currency's unit and in satoshis."""

from collections.abc import Mapping

from dtmf_server.core.pegged import Peg
from dtmf_server.storage.db import Row, Tx

MICROS = ("setup_micros", "minute_micros", "sms_micros", "cap_micros")


def pegged(tx: Tx) -> list[Row]:
    """Return the pegged groups."""
    return tx.all("SELECT * FROM groups WHERE currency IS NOT NULL ORDER BY position, id")


def store_sats(tx: Tx, group_id: str, sats: Mapping[str, int | None], peg: Peg) -> None:
    """Write the prices of a pegged group in satoshis, and the rate they were computed from."""
    tx.run(
        "UPDATE groups SET setup_cost = :setup_cost, rental_cost_per_minute = :rental_cost_per_minute,"
        " cost_per_inbound_message = :cost_per_inbound_message, monthly_cap = :monthly_cap,"
        " rate = :rate, rate_at_wall_us = :at_wall_us WHERE id = :group_id AND currency IS NOT NULL",
        group_id=group_id,
        rate=str(peg.rate),
        at_wall_us=peg.at_wall_us,
        **sats,
    )


def peg(tx: Tx, group_id: str, micros: Mapping[str, int | None], peg: Peg) -> None:
    """Peg a group to a currency, at these prices. Its satoshis must be written too."""
    tx.run(
        "UPDATE groups SET currency = :currency, setup_micros = :setup_micros, minute_micros = :minute_micros,"
        " sms_micros = :sms_micros, cap_micros = :cap_micros, rate = :rate, rate_at_wall_us = :at_wall_us"
        " WHERE id = :group_id",
        group_id=group_id,
        currency=peg.currency,
        rate=str(peg.rate),
        at_wall_us=peg.at_wall_us,
        **micros,
    )


def unpeg(tx: Tx, group_id: str) -> None:
    """Let a group have prices in satoshis."""
    tx.run(
        "UPDATE groups SET currency = NULL, setup_micros = NULL, minute_micros = NULL, sms_micros = NULL,"
        " cap_micros = NULL, rate = NULL, rate_at_wall_us = NULL WHERE id = :group_id",
        group_id=group_id,
    )


def oldest_rate_wall_us(tx: Tx) -> int | None:
    """Return when the oldest rate of a pegged group was confirmed; None without pegged groups."""
    row = tx.one("SELECT min(rate_at_wall_us) AS at_us FROM groups WHERE currency IS NOT NULL")
    assert row is not None
    at_us: int | None = row["at_us"]
    return at_us
