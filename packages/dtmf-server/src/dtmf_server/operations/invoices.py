"""Lightning invoices: wanted, created at the node, and settled once per payment hash, also after they have expired.

1. `want` commits a row with a random external ID before the node is asked. `store` adds the node's answer, and only then
   does the renter get the invoice. If the answer is lost, the node is asked for that ID.
2. `settle` credits the payments that a node reports and moves its cursor, in one transaction.
3. Nothing takes a payment back.
"""

from collections.abc import Sequence

from dtmf_server.core.errors import InvoiceNotFound, LightningUnavailable, TooManyInvoices
from dtmf_server.core.lightning import MSAT, NodeInvoice, SettledPayment, next_look_up_us
from dtmf_server.core.money import NOBODY, SUSPENSE
from dtmf_server.core.units import MINUTE_US, SECOND_US
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.storage import account_erasure, accounts, events, instance, invoices, lightning_nodes, sign_ups
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.events import Event

OPEN_MAX = 100  # invoices per account that can still be paid
PER_MINUTE = 10  # per account
PER_MINUTE_IN_ALL = 300
PER_MINUTE_OF_NEWCOMERS = PER_MINUTE_IN_ALL // 2  # of all accounts without a deposit or a rental so far
GIVE_UP_US = 10 * MINUTE_US  # after which the node is not asked for an invoice that it never created
UNANSWERED_WAIT_US = MINUTE_US  # before the next look-up of an invoice for which the node gave no answer
TOPIC = "lightning"  # wakes the process that watches invoices


def want(
    tx: Tx,
    account_id: int,
    *,
    amount_sats: int | None,
    external_id: str,
    description: str,
    expiry_s: int,
    is_limited: bool,
    now_us: int,
    wall_us: int,
) -> int:
    """Add an invoice that the node is to create. Return its ID. `is_limited`: the limits per minute apply.

    Raises TooManyInvoices. Raises LightningUnavailable until the node was first reached: before, the payment could be
    settled below the cursor from which payments are read.
    """
    _require_node(tx)
    accounts.lock(tx, account_id)
    if invoices.count_open(tx, account_id, now_us=now_us) >= OPEN_MAX:
        raise TooManyInvoices(
            f"{OPEN_MAX} invoices of this account are open: pay one of them, or wait until one expires",
            retry_after=60,
        )
    is_newcomer = invoices.is_newcomer(tx, account_id)
    if is_limited:
        _check_rates(tx, account_id, is_newcomer=is_newcomer, wall_us=wall_us)
    return invoices.add(
        tx,
        account_id,
        external_id=external_id,
        amount_msat=None if amount_sats is None else amount_sats * MSAT,
        description=description,
        expires_at_us=now_us + expiry_s * SECOND_US,
        is_newcomer=is_newcomer,
        now_us=now_us,
        wall_us=wall_us,
    )


def want_for_nobody(
    tx: Tx,
    *,
    amount_sats: int,
    external_id: str,
    description: str,
    expiry_s: int,
    is_limited: bool,
    now_us: int,
    wall_us: int,
) -> int:
    """Add an invoice that opens an account once it is paid. Return its ID. It counts like those of newcomers.

    Raises TooManyInvoices, LightningUnavailable.
    """
    _require_node(tx)
    if is_limited:
        instance.lock(tx)
        _check_total(invoices.count_since(tx, NOBODY, since_wall_us=wall_us - MINUTE_US), is_newcomer=True)
    return invoices.add(
        tx,
        NOBODY,
        external_id=external_id,
        amount_msat=amount_sats * MSAT,
        description=description,
        expires_at_us=now_us + expiry_s * SECOND_US,
        is_newcomer=True,
        now_us=now_us,
        wall_us=wall_us,
    )


def _require_node(tx: Tx) -> None:
    state = lightning_nodes.state(tx)
    if state is None or state["node_id"] is None:
        raise LightningUnavailable("the service has not reached its Lightning node yet: try again later")


def _check_rates(tx: Tx, account_id: int, *, is_newcomer: bool, wall_us: int) -> None:
    """Raise TooManyInvoices beyond the limits per minute. One transaction at a time counts."""
    instance.lock(tx)
    count = invoices.count_since(tx, account_id, since_wall_us=wall_us - MINUTE_US)
    if count["own"] >= PER_MINUTE:
        raise TooManyInvoices(
            f"this account has created {PER_MINUTE} invoices within a minute: pay one of them, or wait a minute",
            retry_after=60,
        )
    _check_total(count, is_newcomer=is_newcomer)


def _check_total(count: Row, *, is_newcomer: bool) -> None:
    if count["total"] >= PER_MINUTE_IN_ALL or (is_newcomer and count["newcomers"] >= PER_MINUTE_OF_NEWCOMERS):
        raise TooManyInvoices("the service is creating as many invoices as it can: wait a minute", retry_after=60)


def store(tx: Tx, invoice_id: int, created: NodeInvoice, *, has_cursor: bool, now_us: int) -> None:
    """Store the node's answer, unless one is stored already."""
    row, state = invoices.by_id(tx, invoice_id), lightning_nodes.state(tx)
    assert row is not None and state is not None, "`want` found the node's state and added the row"
    look_up_at_us = next_look_up_us(
        created_at_us=row["created_at_us"], expires_at_us=row["expires_at_us"], now_us=now_us, has_cursor=has_cursor
    )
    if invoices.store(tx, invoice_id, created, node_id=state["node_id"], look_up_at_us=look_up_at_us):
        tx.notify(TOPIC)


def give_up(tx: Tx, invoice_id: int) -> None:
    """Give up an invoice that the node refused, or never created."""
    invoices.give_up(tx, invoice_id)


def by_id(tx: Tx, account_id: int, invoice_id: int) -> Row:
    """Return an invoice of the account. Raises InvoiceNotFound."""
    row = invoices.by_id(tx, invoice_id)
    if row is None or row["account_id"] != account_id or row["payment_hash"] is None:
        raise InvoiceNotFound
    return row


def settle(
    tx: Tx, payments: Sequence[SettledPayment], *, node_id: int, now_us: int, cursor: str | None = None
) -> list[Row]:
    """Credit the payments of our invoices that are not credited yet, and move the node's cursor. Return these invoices.

    Payments of invoices that the service did not create are ignored.
    """
    node = lightning_nodes.lock(tx, node_id)
    if cursor is not None and cursor != node["cursor"]:
        lightning_nodes.move_cursor(tx, node_id, cursor)
    known = invoices.by_hashes(tx, [payment.payment_hash for payment in payments])
    ours = {p.payment_hash: p for p in payments if p.payment_hash in known}
    new = {hash_: payment for hash_, payment in ours.items() if known[hash_]["state"] != "settled"}
    if not new:
        return []
    known |= _open_accounts(tx, [known[hash_] for hash_ in new], now_us=now_us)
    account_ids = {known[hash_]["account_id"] for hash_ in new}
    accounts.lock(tx, *account_ids)
    closed = account_erasure.closed_among(tx, account_ids)
    fees, rounding = node["fee_msat"], node["rounding_msat"]
    settled = []
    with open_ledger(tx, account_ids | ({SUSPENSE} if closed else set()), now_us=now_us) as ledger:
        for hash_, payment in new.items():
            if not invoices.settle(tx, payment, node_id=node_id, now_us=now_us):
                continue
            lightning_nodes.add_payment(tx, node_id, payment)
            _book(tx, ledger, known[hash_], payment, fees_msat=fees, rounding_msat=rounding, closed=closed)
            fees, rounding = fees + payment.fee_msat, rounding + payment.rounding_msat
            settled.append(known[hash_])
    tx.notify("deposits")
    return settled


def _open_accounts(tx: Tx, paid: Sequence[Row], *, now_us: int) -> dict[str, Row]:
    """Open an account for each invoice of a sign-up among these, and make it the invoice's own. Return these invoices by
    payment hash."""
    theirs = {row["id"]: row for row in paid if row["account_id"] == NOBODY}
    opened: dict[str, Row] = {}
    for sign_up in sign_ups.lock(tx, invoice_ids=list(theirs)) if theirs else []:
        invoice, account_id = theirs[sign_up["invoice_id"]], accounts.add(tx, now_us=now_us)
        sign_ups.open_account(tx, sign_up["id"], invoice_id=invoice["id"], account_id=account_id)
        opened[invoice["payment_hash"]] = {**invoice, "account_id": account_id}
        tx.notify(sign_up_topic(sign_up["id"]))
    return opened


def sign_up_topic(sign_up_id: int) -> str:
    """Return the topic that wakes those who wait for a sign-up's payment."""
    return f"sign_up/{sign_up_id}"


def _book(
    tx: Tx,
    ledger: Ledger,
    invoice: Row,
    payment: SettledPayment,
    *,
    fees_msat: int,
    rounding_msat: int,
    closed: set[int],
) -> None:
    """Book a payment to its account, given the node's sums before it, and append an event."""
    account_id, hash_ = invoice["account_id"], payment.payment_hash
    ledger.lightning_deposit(
        account_id,
        payment.credited_sats,
        fees=(fees_msat + payment.fee_msat) // MSAT - fees_msat // MSAT,
        rounding=(rounding_msat + payment.rounding_msat) // MSAT - rounding_msat // MSAT,
        unique_ref=hash_,
        reference=hash_,
    )
    tx.notify(events.topic(account_id))  # also for those who wait for this invoice
    if account_id not in closed:
        data = {
            "method": "lightning",
            "invoice_id": invoice["id"],
            "payment_hash": hash_,
            "amount": payment.credited_sats,
        }
        ledger.add_event(Event(account_id, ledger.now_us(account_id), "deposit.credited", data=data))


def expire(tx: Tx, *, now_us: int, limit: int = 1000) -> int:
    """Mark invoices whose time is over; they can still become settled. Return how many."""
    rows = invoices.expire(tx, now_us=now_us, limit=limit) if invoices.any_to_expire(tx, now_us=now_us) else []
    sign_ups.forget_networks(tx, [row["id"] for row in rows if row["account_id"] == NOBODY])
    for row in rows:
        tx.notify(events.topic(row["account_id"]))
    return len(rows)


def looked_up(tx: Tx, rows: Sequence[Row], *, has_cursor: bool, now_us: int) -> None:
    """Schedule the next look-up of invoices that are not settled."""
    for row in rows:
        at_us = next_look_up_us(
            created_at_us=row["created_at_us"],
            expires_at_us=row["expires_at_us"],
            now_us=now_us,
            has_cursor=has_cursor,
        )
        invoices.look_up_at(tx, row["id"], at_us)


def look_up_again(tx: Tx, rows: Sequence[Row], *, now_us: int) -> None:
    """Schedule another look-up of invoices for which the node gave no answer."""
    for row in rows:
        invoices.look_up_at(tx, row["id"], now_us + UNANSWERED_WAIT_US)


def connect(tx: Tx, *, backend: str, identity: str, cursor: str | None) -> int:
    """Make this the configured node; a new one starts at `cursor`. Return its ID."""
    node_id = lightning_nodes.add(tx, identity=identity, backend=backend, cursor=cursor)
    lightning_nodes.use(tx, backend=backend, node_id=node_id)
    return node_id


def configure(tx: Tx, backend: str) -> None:
    """Note that a backend is configured, before its node is reached for the first time."""
    state = lightning_nodes.state(tx)
    if state is None or (state["backend"] != backend):
        lightning_nodes.use(tx, backend=backend, node_id=None)


def restart_cursor(tx: Tx, node_id: int, cursor: str, *, now_us: int, wall_us: int) -> int:
    """Continue at `cursor` after the node's went backwards, and look up every unsettled invoice. Return how many."""
    lightning_nodes.lock(tx, node_id)
    lightning_nodes.move_cursor(tx, node_id, cursor, lost_wall_us=wall_us)
    return invoices.look_up_all(tx, node_id, now_us=now_us)
