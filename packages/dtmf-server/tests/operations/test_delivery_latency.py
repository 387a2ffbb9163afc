"""Percentiles of the time that the newest deliveries took."""

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import delivery_latency, rent
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database, Tx
from harness import START_US, give_coins, open_account


def deliver(db: Database, count: int) -> None:
    """Receive SMS whose webhooks take 1, 2, 3 … milliseconds."""
    account_id = open_account(db)
    give_coins(db, account_id, 1_000_000)

    def run(tx: Tx) -> None:
        e164 = rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0)["e164"]
        tx.run("UPDATE rentals SET action = 'webhook', destination = 'https://example.org'")
        for nth in range(count):
            receive_many(tx, [InboundMessage(e164, "GitHub", "x")], now_us=START_US + nth)
        tx.run(
            "UPDATE deliveries SET state = 'delivered', leased_until_us = NULL, finished_at_us = created_at_us + 1000 *"
            " (id - (SELECT min(id) FROM deliveries) + 1)"
        )

    db.write_blocking(run)


def test_percentiles_of_deliveries_in_their_order(db: Database) -> None:
    deliver(db, 240)
    found = db.read_blocking(delivery_latency.latencies)
    assert len(found) == delivery_latency.POINTS and {each.deliveries for each in found} == {10}
    assert (found[0].from_us, found[0].median_us, found[0].p95_us) == (START_US, 6_000, 10_000)
    assert (found[-1].from_us, found[-1].median_us, found[-1].p95_us) == (START_US + 230, 236_000, 240_000)


def test_few_deliveries_are_not_shown(db: Database) -> None:
    assert db.read_blocking(delivery_latency.latencies) == []
    deliver(db, delivery_latency.POINT_MIN + 1)
    (found,) = db.read_blocking(delivery_latency.latencies)
    assert found.deliveries == delivery_latency.POINT_MIN, "the rest is too small"


def test_deliveries_that_failed_or_were_replayed_do_not_count(db: Database) -> None:
    deliver(db, 12)
    db.write_blocking(lambda tx: tx.run("UPDATE deliveries SET attempts_before = 1 WHERE id % 2 = 0"))
    assert [each.deliveries for each in db.read_blocking(delivery_latency.latencies)] == [5]
    db.write_blocking(lambda tx: tx.run("UPDATE deliveries SET state = 'parked' WHERE id % 2 = 1"))
    assert db.read_blocking(delivery_latency.latencies) == []
