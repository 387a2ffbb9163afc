"""Every operation of the API with a request that works: what the tests of all operations start from."""

from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

import pytest

from dtmf_server.core import api_token
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.lightning import NodeInvoice
from dtmf_server.core.rental import action_for
from dtmf_server.operations import deposit, invoices, rent, tokens, webhook_secrets
from dtmf_server.operations.receive import receive_many
from dtmf_server.payments.bitcoin.descriptor import SANDBOX_DESCRIPTOR, deriver
from dtmf_server.storage import deposits, messages, schema, simulated_lightning
from dtmf_server.storage import invoices as stored_invoices
from dtmf_server.storage.db import Database, Row, Tx
from dtmf_server.storage.schema import metadata
from harness import START_US, give_coins, new_token, open_account
from support.connection import Asked, ask_for

REST_US = 24 * 3_600_000_000
OTHER_PHONE = "+447700900123"

# For what no engine can answer otherwise than another.
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# A stream would go on.
AS_LIST = {"Accept": "application/json"}
# Operations that need no token.
PUBLIC = {"POST /api/v1/accounts", "GET /healthz", "GET /readyz"}


@dataclass(frozen=True)
class Renter:
    """An account with coins, a rented number, a message, an address and two tokens."""

    account_id: int
    token: str
    second_token_id: int
    e164: str
    address: str
    text: str
    label: str
    hook: str
    delivery_id: int
    invoice_id: int
    invoice: str
    kept: tuple[str, ...]  # what else is in the database: a sent text, a deposit's txid, the webhook secret

    @property
    def secrets(self) -> list[str]:
        """Data that no other account may read."""
        return [self.e164, self.address, self.text, self.label, self.token, self.hook, self.invoice, *self.kept]


@dataclass(frozen=True)
class Call:
    """A request that works, and the status it is answered with."""

    status: int
    body: dict[str, Any] | None = None
    query: dict[str, Any] = field(default_factory=dict)
    path: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def asked(self, name: str, token: str | None, **headers: str) -> Asked:
        """The request, by the name of its operation."""
        method, path = name.split(" ")
        return ask_for(
            method, path.format(**self.path), self.body, token=token, query=self.query, headers=self.headers | headers
        )


def move_in(db: Database, *, seed: int, coins: int = 1_000_000) -> Renter:
    """A new renter."""
    account_id = open_account(db, seed=seed)
    give_coins(db, account_id, coins)
    text, label, hook = f"a text for {seed} only", f"the label of {seed}", f"http://127.0.0.1:1024/{seed}"

    def settle_in(tx: Tx) -> Renter:
        unused = api_token.sha256(new_token(seed + 1_000_000))
        second = tokens.add(tx, account_id, token_sha256=unused, label=label, now_us=START_US)
        derive = deriver(SANDBOX_DESCRIPTOR, "regtest")
        address = deposit.new_address(tx, account_id, derive=derive, now_us=START_US)
        rental = rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0)
        # As if a restricted token had started it, so that adopting it has an effect.
        tx.run("UPDATE rentals SET token_id = :second WHERE id = :id", second=second, id=rental["id"])
        e164 = rental["e164"]
        (message_id,) = receive_many(tx, [InboundMessage(e164, OTHER_PHONE, text)], now_us=START_US)
        rent.set_action(tx, account_id, e164, action_for(hook), now_us=START_US)
        delivery_id = _park(tx, account_id, rental["id"], message_id, destination=hook)
        kept = (_send(tx, account_id, rental), _pay(tx, address), webhook_secrets.secret(tx, account_id))
        invoice_id, bolt11 = _invoice(tx, account_id, f"{seed:064x}")
        return Renter(
            account_id, new_token(seed), second, e164, address, text, label, hook, delivery_id, invoice_id, bolt11, kept
        )

    return db.write_blocking(settle_in)


def _invoice(tx: Tx, account_id: int, payment_hash: str) -> tuple[int, str]:
    """The id and the text of an open invoice of the simulated node."""
    created = NodeInvoice(payment_hash, f"lnbcrt1invoice{payment_hash}", START_US + 3_600_000_000)
    simulated_lightning.add(tx, payment_hash, created, amount_msat=1_000_000)
    node_id = invoices.connect(tx, backend="simulator", identity="simulator", cursor="0")
    invoice_id = stored_invoices.add(
        tx,
        account_id,
        external_id=payment_hash,
        amount_msat=1_000_000,
        description="test",
        expires_at_us=created.expires_us,
        is_newcomer=False,
        now_us=START_US,
        wall_us=START_US,
    )
    stored_invoices.store(tx, invoice_id, created, node_id=node_id, look_up_at_us=None)
    return invoice_id, created.bolt11


def _send(tx: Tx, account_id: int, rental: Row) -> str:
    """The text of a message that has left."""
    (message_id,) = tx.allocate_ids(schema.messages, 1)
    text = f"sent by {account_id} only"
    row = (message_id, account_id, rental["id"], False, rental["e164"], OTHER_PHONE, text, START_US, "sent", 0, 1)
    messages.add(tx, [row])
    return text


def _pay(tx: Tx, address: str) -> str:
    """The id of a transaction that was credited long ago."""
    owner = deposits.address(tx, address)
    assert owner is not None
    txid = sha256(address.encode()).hexdigest()
    deposits.add(tx, txid=txid, vout=0, owner=owner, amount=1, height=0, coinbase=False, now_us=START_US)
    row = deposits.by_outpoint(tx, txid, 0)
    assert row is not None
    deposits.set_status(tx, row["id"], status="credited", alternations=1)
    return txid


def _park(tx: Tx, account_id: int, rental_id: int, message_id: int | None, *, destination: str) -> int:
    """A webhook's delivery that was given up, as the outbox leaves it."""
    row = tx.one(
        "INSERT INTO deliveries (account_id, rental_id, message_id, kind, destination, state, created_at_us,"
        " attempts, due_at_us, finished_at_us, reason) VALUES (:account_id, :rental_id, :message_id, 'webhook',"
        " :destination, 'parked', :now_us, 1, :now_us, :now_us, 'given up') RETURNING id",
        account_id=account_id,
        rental_id=rental_id,
        message_id=message_id,
        destination=destination,
        now_us=START_US,
    )
    assert row is not None
    return int(row["id"])


def calls(renter: Renter) -> dict[str, Call]:
    """A request of this renter for every operation. A new operation belongs here: the tests ask for it."""
    number = {"e164": renter.e164}
    last = {  # what comes after finds neither
        "DELETE /api/v1/tokens": Call(204, query={"id": renter.second_token_id}),
        "DELETE /api/v1/number": Call(204, query=number),
    }
    return _calls(renter, number) | _token_calls(renter) | _sandbox_calls(renter) | last


def _token_calls(renter: Renter) -> dict[str, Call]:
    return {
        "GET /api/v1/tokens": Call(200),
        "GET /api/v1/tokens/{token_id}": Call(200, path={"token_id": renter.second_token_id}),
        "POST /api/v1/tokens": Call(
            201, {"label": "laptop", "scopes": ["read"], "groups": ["us-mobile"], "expires_at": "2999-01-01T00:00:00"}
        ),
    }


def _sandbox_calls(renter: Renter) -> dict[str, Call]:
    return {
        "POST /api/v1/sandbox/message": Call(201, {"to": renter.e164, "from": OTHER_PHONE, "content": "hello"}),
        "POST /api/v1/sandbox/deposit": Call(201, {"address": renter.address, "amount": 1000, "confirmations": 0}),
        "POST /api/v1/sandbox/pay": Call(201, {"invoice": renter.invoice, "amount": 1000, "fault": "twice"}),
        "POST /api/v1/sandbox/clock": Call(200, {"advance_s": 0}),
        "GET /api/v1/sandbox/clock": Call(200),
        "GET /api/v1/sandbox/sent": Call(200),
    }


def _calls(renter: Renter, number: dict[str, str]) -> dict[str, Call]:
    return {
        "GET /healthz": Call(200),
        "GET /readyz": Call(200),
        "GET /api/v1/account": Call(200),
        "GET /api/v1/usage": Call(200),
        "GET /api/v1/transactions": Call(200, query={"after": 0, "limit": 100}),
        "POST /api/v1/accounts": Call(201, query={"wait": 0}),
        "GET /api/v1/account/webhook": Call(200),
        "PUT /api/v1/account/webhook": Call(200, {"url": renter.hook}),
        "POST /api/v1/sign_in_links": Call(201),
        "GET /api/v1/addresses": Call(200),
        "POST /api/v1/addresses": Call(201),
        "GET /api/v1/deposits": Call(200),
        "GET /api/v1/invoices": Call(200, query={"after": 0, "limit": 100}),
        "POST /api/v1/invoices": Call(201, {"amount": 1000}),
        "GET /api/v1/invoices/{invoice_id}": Call(200, path={"invoice_id": renter.invoice_id}, query={"wait": 0}),
        "GET /api/v1/groups": Call(200, query={"type": "mobile"}),
        "GET /api/v1/groups/{group_id}": Call(200, path={"group_id": "us-mobile"}),
        "GET /api/v1/groups/{group_id}/numbers": Call(
            200, query={"contains": "555", "limit": 10}, path={"group_id": "us-mobile"}
        ),
        "GET /api/v1/numbers": Call(200),
        "POST /api/v1/numbers": Call(
            201, {"group_id": "us-mobile", "max_minutes": 10, "max_sats": 5000, "label": "signal"}
        ),
        "POST /api/v1/numbers/adopt": Call(204, {"e164": renter.e164}),
        "GET /api/v1/number": Call(200, query=number),
        "PATCH /api/v1/number": Call(
            200, {"sms_forwarded_to": renter.hook, "max_minutes": 500, "label": "bank"}, number
        ),
        "POST /api/v1/message": Call(204, {"from": renter.e164, "to": OTHER_PHONE, "content": "hello"}),
        "GET /api/v1/messages": Call(
            200,
            query={"order": "asc", "after": 0, "before": 10**9, "limit": 100, "wait": 0}
            | {"current": "true", "inbound": "true", **number},
        ),
        "GET /api/v1/events": Call(
            200, query={"after": 0, "limit": 100, "wait": 0, "kind": "deposit.credited"}, headers=AS_LIST
        ),
        "GET /api/v1/deliveries": Call(
            200, query={"state": "parked", "since": "2018-01-01T01:01:01", "after": 0, "limit": 100, **number}
        ),
        "POST /api/v1/deliveries/{delivery_id}/retry": Call(200, path={"delivery_id": renter.delivery_id}),
        "POST /api/v1/deliveries/retry": Call(200, {"since": "2018-01-01T01:01:01"}),
        "POST /api/v1/deliveries/test": Call(201, {"e164": renter.e164}),
        "GET /api/v1/webhook_secret": Call(200),
        "POST /api/v1/webhook_secret": Call(201),
    }


def names_of(document: dict[str, Any]) -> set[str]:
    """The operations of an OpenAPI document: 'GET /api/v1/account'."""
    return {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}


def operation_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    """An operation in the OpenAPI document."""
    method, path = name.split(" ")
    found: dict[str, Any] = document["paths"][path][method.lower()]
    return found


def body_schema_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The schema of the operation's body; empty if it takes none."""
    body = operation_of(document, name).get("requestBody")
    if body is None:
        return {}
    reference = body["content"]["application/json"]["schema"]["$ref"]
    found: dict[str, Any] = document["components"]["schemas"][reference.rsplit("/", 1)[1]]
    return found


def dump(db: Database, account_id: int | None = None) -> dict[str, list[Any]]:
    """Every row of every table, or every row that belongs to an account."""
    return {table.name: db.read_blocking(partial(_rows, name=table.name, account_id=account_id)) for table in _tables()}


def _tables() -> list[Any]:
    """All but those that workers write at their own time: what was followed of the chain, what carriers did, and requests."""
    theirs = {
        "api_requests",
        "carrier_answers",
        "chain_blocks",
        "carriers",
        "carrier_links",
        "submissions",
        "early_receipts",
        "lightning_nodes",
        "lightning_state",
    }
    return [table for table in metadata.sorted_tables if table.name not in theirs]


def _rows(tx: Tx, *, name: str, account_id: int | None) -> list[Any]:
    columns = metadata.tables[name].c.keys()
    rows = [tuple(_plain(row[column]) for column in columns) for row in tx.all(f"SELECT * FROM {name}")]
    if account_id is not None:
        owner = "id" if name == "accounts" else "account_id"
        if owner not in columns:
            return []
        rows = [row for row in rows if row[columns.index(owner)] == account_id]
    return sorted(rows, key=repr)


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
