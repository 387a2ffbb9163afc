"""Lightning payments, on top of coins and clocks."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from dtmf_server.core.lightning import NodeInvoice
from dtmf_server.operations import invoices, sign_up
from dtmf_server.storage import lightning_nodes, sign_ups
from dtmf_server.storage.db import Tx
from money.oracle.lightning import PlainNode
from money.oracle.service import PlainAccount
from money.state_machine.chain_and_clock import amounts, who
from money.state_machine.prices import Prices

IDENTITY = "the machine's node"
msats = amounts.map(lambda sats: sats * 1000) | st.integers(0, 3000) | st.integers(1, 500_000)
fees_msat = st.sampled_from([0, 0, 1, 999, 1000]) | st.integers(0, 5000)
payments = st.lists(st.tuples(st.integers(0, 5), msats, fees_msat, st.booleans()), min_size=1, max_size=4)


class LightningPayments(Prices):
    """Invoices of one node."""

    def __init__(self) -> None:
        super().__init__()
        self.node = PlainNode()
        self.node_id = self._write(lambda tx: invoices.connect(tx, backend="machine", identity=IDENTITY, cursor="0"))
        self.reports = 0

    @rule(who=who, amount=amounts | st.none())
    def an_invoice_is_created(self, who: int, amount: int | None) -> None:
        id_ = self.ids[who]
        if sum(each.account_id == id_ for each in self.node.invoices.values()) >= invoices.OPEN_MAX:
            return
        payment_hash = self.node.create(id_)

        def create(tx: Tx) -> None:
            invoice_id = invoices.want(
                tx,
                id_,
                amount_sats=amount,
                external_id=payment_hash,
                description="",
                expiry_s=60,
                is_limited=False,
                now_us=self.now_us,
                wall_us=0,
            )
            created = NodeInvoice(payment_hash, f"lnbcrt{payment_hash}", 0)
            invoices.store(tx, invoice_id, created, has_cursor=True, now_us=self.now_us)

        self._write(create)

    @rule(amount=amounts)
    def somebody_asks_to_sign_up(self, amount: int) -> None:
        payment_hash = self.node.create(None)

        def create(tx: Tx) -> None:
            wanted = sign_up.want(
                tx,
                amount_sats=amount,
                claim_sha256=bytes.fromhex(payment_hash),
                external_id=payment_hash,
                description="",
                expiry_s=60,
                network=None,
                is_limited=False,
                now_us=self.now_us,
                wall_us=0,
            )
            created = NodeInvoice(payment_hash, f"lnbcrt{payment_hash}", 0)
            invoices.store(tx, wanted["invoice_id"], created, has_cursor=True, now_us=self.now_us)

        self._write(create)

    @rule(amount=amounts)
    def somebody_signs_up(self, amount: int) -> None:
        self.somebody_asks_to_sign_up(amount)
        self.invoices_are_paid([(min(5, len(self.node.invoices) - 1), amount * 1000, 0, True)])

    @rule(paid=payments)
    def invoices_are_paid(self, paid: list[tuple[int, int, int, bool]]) -> None:
        """The newest invoices, paid or not; the node may report several payments at once, and some twice."""
        hashes, effects = list(self.node.invoices)[-6:], list[tuple[str, int]]()
        reported = []
        for nth, sent_msat, fee_msat, twice in paid:
            if nth < len(hashes):
                effects.append((hashes[nth], self.node.pay(hashes[nth], sent_msat, fee_msat)))
                reported += [self.node.reported(hashes[nth])] * (1 + twice)
        self.reports += 1
        self._write(
            lambda tx: invoices.settle(tx, reported, node_id=self.node_id, now_us=self.now_us, cursor=f"{self.reports}")
        )
        for payment_hash, sats in effects:
            account_id = self._owner(payment_hash)
            if sats:
                self.plain.move_coins(account_id, sats, self.now_us)
        sums = self.db.read_blocking(lambda tx: lightning_nodes.by_id(tx, self.node_id))
        columns = ("received_msat", "fee_msat", "rounding_msat", "credited_sats")
        assert tuple(sums[column] for column in columns) == self.node.sums()

    def _owner(self, payment_hash: str) -> int:
        """Return the account of a paid invoice. The first payment of a sign-up opens it, whatever was sent."""
        invoice = self.node.invoices[payment_hash]
        if invoice.account_id is None:
            row = self.db.read_blocking(lambda tx: sign_ups.by_payment_hash(tx, payment_hash))
            assert row is not None
            assert row["account_id"] not in {None, *self.plain.accounts}, "the payment opens an account of its own"
            invoice.account_id = int(row["account_id"])
            self.plain.accounts[invoice.account_id] = PlainAccount(invoice.account_id, self.now_us)
        return invoice.account_id

    @rule(who=who, amount=amounts)
    def somebody_tops_up(self, who: int, amount: int) -> None:
        self.an_invoice_is_created(who, amount)
        self.invoices_are_paid([(min(5, len(self.node.invoices) - 1), amount * 1000, 0, False)])

    @rule(who=who, fee_msat=st.integers(500, 5000))
    def two_invoices_are_paid_at_once(self, who: int, fee_msat: int) -> None:
        for _ in range(2):
            self.an_invoice_is_created(who, None)
        newest = min(5, len(self.node.invoices) - 1)
        self.invoices_are_paid([(max(0, newest - 1), 9_000, fee_msat, False), (newest, 9_000, fee_msat, True)])

    @rule()
    def invoices_expire(self) -> None:
        self._write(lambda tx: invoices.expire(tx, now_us=self.now_us))
