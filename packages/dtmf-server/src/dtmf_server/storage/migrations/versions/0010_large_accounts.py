"""Sums over an account's live rentals, so that no request has to read them; deletion of accounts in portions."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_PAYING = "ended_at_us IS NULL AND cost_per_minute > 0"
_PHASE = "started_at_us % 60000000"
_NOTHING = sa.text("cost = 0")


def upgrade() -> None:
    """Add the tables, then compute the sums from the live rentals, booked up to their account's `settled_at_us`."""
    for name in ("live_rentals", "cost_per_minute", "begun_cost"):
        op.add_column("accounts", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    id_type = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "minute_costs",
        sa.Column("account_id", id_type, nullable=False),
        sa.Column("unit_us", sa.BigInteger(), nullable=False),
        sa.Column("nth", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "unit_us", "nth", name="pk_minute_costs"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_minute_costs_account_id"),
    )
    op.create_index(
        "ix_minute_costs_nothing", "minute_costs", ["account_id"], sqlite_where=_NOTHING, postgresql_where=_NOTHING
    )
    _closings(id_type)
    op.drop_index("ix_rentals_live_account", "rentals")
    for name, columns, where in (
        ("ix_rentals_live_account", "account_id, id", " WHERE ended_at_us IS NULL"),
        ("ix_rentals_hooked", "account_id, id", " WHERE ended_at_us IS NULL AND action = 'webhook'"),
        ("ix_rentals_phase", f"account_id, ({_PHASE}), started_at_us, id", f" WHERE {_PAYING}"),
        ("ix_rentals_booked", "(started_at_us + booked_minutes * 60000000)", f" WHERE {_PAYING}"),
        ("ix_rentals_account_id_id", "account_id, id", ""),
    ):
        op.execute(f"CREATE INDEX {name} ON rentals ({columns}){where}")
    _shares()
    _fill()


def _closings(id_type: sa.types.TypeEngine[int]) -> None:
    op.create_table(
        "closings",
        sa.Column("account_id", id_type, nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("after_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_closings"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_closings_account_id"),
    )


def _shares() -> None:
    """Allow minutes to be a share of what the account paid, without a transfer of their own."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE minute_bookings ALTER COLUMN transfer_id DROP NOT NULL")
        return
    op.execute(
        "CREATE TABLE new_minute_bookings (rental_id INTEGER NOT NULL, from_minute BIGINT NOT NULL,"
        " to_minute BIGINT NOT NULL, after_minute BIGINT, transfer_id INTEGER,"
        " CONSTRAINT pk_minute_bookings PRIMARY KEY (rental_id, from_minute),"
        " CONSTRAINT ck_minute_bookings_forward CHECK (to_minute > from_minute),"
        " CONSTRAINT ck_minute_bookings_first CHECK ((from_minute = 0) = (after_minute IS NULL)),"
        " CONSTRAINT ck_minute_bookings_chain CHECK (after_minute = from_minute),"
        " CONSTRAINT uq_minute_bookings_rental_id_to_minute UNIQUE (rental_id, to_minute),"
        " CONSTRAINT fk_minute_bookings_rental_id_after_minute FOREIGN KEY(rental_id, after_minute)"
        " REFERENCES minute_bookings (rental_id, to_minute),"
        " CONSTRAINT fk_minute_bookings_rental_id FOREIGN KEY(rental_id) REFERENCES rentals (id),"
        " CONSTRAINT fk_minute_bookings_transfer_id FOREIGN KEY(transfer_id) REFERENCES transfers (id))"
    )
    op.execute("INSERT INTO new_minute_bookings SELECT * FROM minute_bookings")
    op.execute("DROP TABLE minute_bookings")
    op.execute("ALTER TABLE new_minute_bookings RENAME TO minute_bookings")
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER minute_bookings_append_only_{verb.lower()} BEFORE {verb} ON minute_bookings "
            "BEGIN SELECT RAISE(ABORT, 'minute_bookings is append-only'); END"
        )


def _fill() -> None:
    live = "FROM rentals r WHERE r.account_id = accounts.id AND r.ended_at_us IS NULL"
    op.execute(
        f"UPDATE accounts SET live_rentals = (SELECT count(*) {live}),"
        f" cost_per_minute = (SELECT coalesce(sum(r.cost_per_minute), 0) {live}),"
        f" begun_cost = (SELECT coalesce(sum(r.cost_per_minute), 0) {live}"
        f" AND r.{_PHASE} <= accounts.settled_at_us % 60000000)"
    )
    for unit_us in (1_000_000, 1_000, 1):
        op.execute(
            f"INSERT INTO minute_costs (account_id, unit_us, nth, cost) SELECT account_id, {unit_us},"
            f" ({_PHASE}) / {unit_us}, sum(cost_per_minute) FROM rentals WHERE {_PAYING} GROUP BY 1, 2, 3"
        )
