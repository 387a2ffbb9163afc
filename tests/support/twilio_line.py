"""A rented number, the service that has it, and its simulated Twilio."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from dtmf_server.carriers.twilio.carrier import TwilioCarrier
from dtmf_server.operations import send, verify
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage.db import Database, Row
from support.providers.twilio import Message, Twilio
from support.twilio_carrier import OURS, PHONE


@dataclass
class Line:
    """A rented number, the service that has it, and its provider."""

    db: Database
    provider: Twilio
    account_id: int
    carrier: TwilioCarrier

    def received(self) -> list[str]:
        """Return the texts of the received messages, in order."""
        return [row["content"] for row in self.rows("SELECT content FROM messages WHERE inbound ORDER BY id")]

    def rows(self, statement: str, **parameters: Any) -> list[Row]:
        """Return the rows of a statement."""
        return self.db.read_blocking(lambda tx: tx.all(statement, **parameters))

    def sends(self, text: str, to: str = PHONE) -> int:
        """Send an SMS as the renter; return its ID."""
        terms: dict[str, Any] = {"now_us": wall_us(), "daily_limit": None}
        message = self.db.write_blocking(
            lambda tx: send.send(tx, self.account_id, sender=OURS, to=to, content=text, **terms)
        )
        self.db.wakeups.notify({"deliveries"})
        return int(message["id"])

    def submitted(self, text: str) -> Message:
        """Wait until the provider has this SMS; return it."""
        return self.eventually(lambda: next((sms for sms in self.provider.outbound() if sms.body == text), None))

    def until(self, message_id: int, status: str) -> Row:
        """Wait until the message has this status; return it."""
        statement = "SELECT * FROM messages WHERE id = :id AND status = :status"
        return self.eventually(lambda: next(iter(self.rows(statement, id=message_id, status=status)), None))

    def paid(self, message_id: int) -> int:
        """Return the sats that a sent message cost, less its refund."""
        statement = (
            "SELECT coalesce(sum(CASE kind WHEN 'message_sent' THEN amount ELSE -amount END), 0) AS sats FROM transfers"
            " WHERE kind IN ('message_sent', 'message_refunded') AND ref = :ref"
        )
        return int(self.rows(statement, ref=str(message_id))[0]["sats"])

    def eventually(self, look: Callable[[], Any], *, within_s: float = 90.0) -> Any:
        """Wait until `look` finds something; return it."""
        until_s = monotonic() + within_s
        while not (found := look()):
            assert monotonic() < until_s, "nothing found in time"
            sleep(0.02)
        return found

    def books_are_right(self) -> bool:
        """Return whether the ledger adds up."""
        return self.db.read_blocking(verify.differences) == []
