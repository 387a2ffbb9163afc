"""How deliveries are found costs the same however many are due: the plan is looked at, not the time."""

import pytest

from dtmf import DTMF
from dtmf_server.operations import deliver
from dtmf_server.storage import delivery_log, delivery_queue, outbox
from dtmf_server.storage.db import Database, Tx
from support.webhook_receiver import Receiver
from support.webhook_steps import plan_of, rent, settle, states


def _plan_where_nothing_waited(dtmf: DTMF, db: Database, receiver: Receiver) -> tuple[str, str]:
    """Of claiming and of what follows a delivery, as a database sees it that saw nothing wait when it last looked."""
    dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url), "+1234", "text")
    settle(dtmf)
    assert states(db) == ["delivered"]
    db.write_blocking(lambda tx: tx.run("ANALYZE deliveries"))

    def claim(tx: Tx) -> None:
        deliver.claim(tx, now_us=1, wall_us=1, lease_us=1, limit=256, except_destinations=[])

    return plan_of(db, claim), plan_of(db, lambda tx: delivery_queue.promote_heads(tx, {(1, "webhook")}, now_us=1))


def test_a_line_is_looked_up_by_itself(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    claim, heads = _plan_where_nothing_waited(dtmf, db, receiver)
    assert claim.count("ix_deliveries_due") == 1 and "ix_deliveries_line" in claim
    assert "ix_deliveries_due" not in heads and "ix_deliveries_line" in heads


def test_what_is_due_is_found_by_its_time(db: Database) -> None:
    for ask in (lambda tx: outbox.first_due(tx, wall_us=1), lambda tx: outbox.is_due(tx, now_us=1)):
        plan = plan_of(db, ask)
        assert "ix_deliveries_due" in plan
        assert "SCAN deliveries'" not in plan and "Seq Scan on deliveries" not in plan


@pytest.mark.regression("replay-reads-no-history")
def test_a_replay_looks_up_the_rentals_of_what_is_replayed_alone(db: Database) -> None:
    plan = plan_of(db, lambda tx: delivery_log.replay_parked(tx, 1, since_us=0, now_us=1))
    assert "ix_rentals_account" not in plan, "it reads every rental that the account ever had"
    assert "Seq Scan on rentals" not in plan and "SCAN e" not in plan
    assert " on rentals e " in plan or "SEARCH e USING INTEGER PRIMARY KEY" in plan
