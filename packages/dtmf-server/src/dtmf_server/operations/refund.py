"""Refund what a message cost when it can't be sent."""

from dtmf_server.core.money import Kind
from dtmf_server.operations.ledger import Ledger
from dtmf_server.operations.limits import MessageBudget
from dtmf_server.storage import messages
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.events import Event


def fail_message(tx: Tx, ledger: Ledger, message: Row, *, reason: str) -> None:
    """Mark the message as failed and refund its cost, in an open ledger."""
    account_id, message_id = message["account_id"], message["id"]
    messages.set_status(tx, message_id, status="failed", reason=reason)
    if message["cost"]:
        ref = str(message_id)
        ledger.refund(account_id, message["cost"], kind=Kind.MESSAGE_REFUNDED, unique_ref=ref, reference=ref)
        messages.refund(tx, message_id)
        budget = MessageBudget(tx, ledger, [message["rental_id"]])
        budget.spend(account_id, message["rental_id"], -message["cost"])
        budget.store()
    data = {"status": "failed", "reason": reason}
    ledger.add_event(Event(account_id, ledger.now_us(account_id), "message.status", message_id, data))
