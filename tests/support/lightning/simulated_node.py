"""The state of a simulated Lightning node: invoices, payments, a clock, and faults. Each kind serves it in its own shape."""

import copy
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from dtmf_server.payments.lightning import bolt11
from support.lightning.http_server import Answer, HttpServer, Received

START_US = 1_800_000_000_000_000
CAPACITY_MSAT = 10_000_000_000
NODE_KEY = hashlib.sha256(b"a simulated node").digest()
NODE_ID = "02" + "ab" * 32

# `after_…`: the request is carried out, and then answered with an error, or not at all.
Fault = Literal["", "html", "empty", "error", "closed", "silent", "redirect", "after_error", "after_closed"]


class Refused(Exception):
    """The node refuses a request."""


@dataclass(frozen=True)
class Stored:
    """An invoice of the node. `index` orders the settled ones."""

    number: int
    external_id: str
    payment_hash: str
    bolt11: str
    amount_msat: int | None
    description: str
    created_us: int
    expires_us: int
    received_msat: int = 0
    fee_msat: int = 0
    settled_us: int | None = None
    index: int = 0


class SimulatedNode:
    """A node that receives; a context manager, which serves it on loopback with `answer`."""

    def __init__(self, answer: Callable[["SimulatedNode", Received], Answer], *, network: str = "regtest") -> None:
        self.network, self.capacity_msat = network, CAPACITY_MSAT
        self.is_connected = True  # its channels' peers
        self.fault: Fault = ""
        self.permits_everything = False  # whatever the credentials say
        self.attempts_to_pay: list[str] = []  # that a credential which can spend has made
        self.now_us = START_US
        self.invoices: dict[str, Stored] = {}
        self.index_step = 1  # more than 1: the settle index has gaps
        self._backup: dict[str, Stored] = {}
        self._changed, self._closing = threading.Condition(), threading.Event()
        self._answer = answer
        self.server = HttpServer(self._faulty)

    def __enter__(self) -> "SimulatedNode":
        self.server.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self.server.__exit__(*reason)

    def wall_us(self) -> int:
        return self.now_us

    # --- what a test does to it ---

    def pay(self, payment_hash: str, *, msat: int | None = None, fee_msat: int = 0) -> None:
        """Settle an invoice with a payment of `msat`, of which the node deducts `fee_msat`. An invoice is paid once."""
        with self._changed:
            stored = self.invoices[payment_hash]
            sent = stored.amount_msat if msat is None else msat
            if stored.settled_us is not None or sent is None:
                raise Refused("This invoice has been paid already")
            self.now_us += 1_000_000
            index = max((one.index for one in self.invoices.values()), default=0) + self.index_step
            self.invoices[payment_hash] = replace(
                stored, received_msat=sent - fee_msat, fee_msat=fee_msat, settled_us=self.now_us, index=index
            )
            self._changed.notify_all()

    def complete(self, payment_hash: str, *, msat: int) -> None:
        """Settle the rest of a payment that came in parts."""
        self.invoices[payment_hash] = replace(self.invoices[payment_hash], received_msat=msat)

    def back_up(self) -> None:
        """Save the database."""
        self._backup = copy.copy(self.invoices)

    def restore(self) -> None:
        """Go back to the backup."""
        with self._changed:
            self.invoices = copy.copy(self._backup)

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """Answer with a fault until the block ends."""
        self.fault = fault
        try:
            yield
        finally:
            self.fault = ""

    # --- what its API does ---

    def create(
        self,
        *,
        external_id: str,
        amount_msat: int | None,
        description: str,
        expiry_s: int,
        preimage: bytes | None = None,
        is_bounded: bool = True,
    ) -> Stored:
        """Create an invoice; a number takes the place of chance. Raises Refused. `is_bounded`: the node refuses more than
        it can receive."""
        if is_bounded and amount_msat is not None and amount_msat > self.capacity_msat:
            raise Refused("the amount exceeds the capacity")
        number = len(self.invoices) + 1
        preimage = preimage or hashlib.sha256(f"{external_id} {number}".encode()).digest()
        payment_hash = hashlib.sha256(preimage).hexdigest()
        if payment_hash in self.invoices:
            raise Refused("invoice with payment hash already exists")
        invoice = bolt11.Invoice(
            bolt11.PREFIXES[self.network], payment_hash, amount_msat, description, self.now_us // 1_000_000, expiry_s
        )
        text = bolt11.encode(invoice, payment_secret=preimage, private_key=NODE_KEY)
        ends_us = self.now_us + expiry_s * 1_000_000
        stored = Stored(number, external_id, payment_hash, text, amount_msat, description, self.now_us, ends_us)
        self.invoices[payment_hash] = stored
        return stored

    def is_expired(self, stored: Stored) -> bool:
        return stored.settled_us is None and self.now_us >= stored.expires_us

    def settled(self) -> list[Stored]:
        """Return the settled invoices in the order of their indexes."""
        return sorted((one for one in self.invoices.values() if one.settled_us), key=lambda one: one.index)

    def settled_after(self, index: int, *, timeout_s: float) -> list[Stored]:
        """Return the settled invoices with higher indexes, waiting for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._after(index) or self._closing.is_set(), timeout_s)
            return self._after(index)

    def is_closing(self) -> bool:
        return self._closing.is_set()

    def _after(self, index: int) -> list[Stored]:
        return [one for one in self.settled() if one.index > index]

    def _faulty(self, received: Received) -> Answer:  # noqa: PLR0911 - one for each fault
        match self.fault:
            case "html":
                return Answer(200, b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"})
            case "empty":
                return Answer.json({})
            case "error":
                return Answer(502, b"<html>Bad gateway</html>")
            case "redirect":  # with a body that looks like an answer
                moved = self._answer(self, received)
                return Answer(307, moved.body, {"Location": "https://elsewhere.example"})
            case "closed":
                return Answer(0)
            case "silent":
                self._closing.wait()
                return Answer(0)
        answered = self._answer(self, received)
        if self.fault == "after_error":
            return Answer(500, b"<html>Internal error</html>")
        return Answer(0) if self.fault == "after_closed" else answered
