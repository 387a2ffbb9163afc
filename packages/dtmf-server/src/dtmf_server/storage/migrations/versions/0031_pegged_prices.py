"""Prices in a currency: those of groups, the prices of each rental, and the price that a rental changes to."""

from alembic import op

from dtmf_server.storage.migrations import sql_script

revision = "0031"
down_revision = "0030"

_BEFORE = "booked_minutes * cost_per_minute ELSE 0 END"
_AFTER = "priced_sats + (booked_minutes - priced_minutes) * cost_per_minute ELSE 0 END"


def upgrade() -> None:
    """Run the statements beside this file, and let the constraint of `max_sats` include what minutes cost before a change of
    price. SQLite cannot change a constraint, but its schema can be edited: see "Making Other Kinds Of Table Schema Changes"
    in its documentation of ALTER TABLE. The rows do not change."""
    sql_script.run(__file__)
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'rentals'"
        " AND instr(sql, ?) > 0",
        (_BEFORE, _AFTER, _BEFORE),
    )
    assert changed.rowcount == 1, "migration 0021 wrote this constraint"
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")
