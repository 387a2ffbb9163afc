"""Paid sign-up: a Lightning payment opens an account, and a claim or an L402 credential gets its token."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dtmf import DTMF, AsyncDTMF
from dtmf_server.core import l402
from dtmf_server.core.errors import TooManyInvoices
from dtmf_server.core.money import FIRST_CUSTOMER
from dtmf_server.operations import close_account, invoices, sign_up, suspense, verify
from dtmf_server.operations.audit import By
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import sign_ups
from dtmf_server.storage.db import Database, Row, Tx
from harness import START_US, FakeWall, give_coins, new_token, open_account
from lightning.conftest import EXTERNAL_IDS, Account, asked, books_are_right

Ask = Callable[..., httpx2.Response]
EXAMPLE = Path(__file__).parents[2] / "examples" / "agent_paid_sign_up.py"
WEEK_S = 7 * 86_400


@pytest.fixture
def ask(url: str) -> Ask:
    """Send a request without a token."""
    return anonymous(url)


@pytest.fixture
def pay(url: str, db: Database) -> Callable[..., Any]:
    """Pay an invoice of a sign-up as another account of the sandbox, and return the payment."""
    open_account(db)
    payer = asked(url, new_token())

    def pay(invoice: str, **body: Any) -> Any:
        reply = payer("POST", "/sandbox/pay", {"invoice": invoice, **body})
        assert reply.status_code == 201, reply.text
        return reply.json()

    return pay


def anonymous(url: str) -> Ask:
    """Return a function that signs up with a body and headers."""

    def ask(body: Any = None, *, wait: float = 0, **headers: str) -> httpx2.Response:
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        return httpx2.post(f"{url}/api/v1/accounts?wait={wait}", json=body, headers=given, timeout=30)

    return ask


def credential_of(reply: httpx2.Response) -> str:
    """Return the credential in a challenge."""
    header = reply.headers["www-authenticate"]
    assert header.startswith('L402 version="0", token="')
    return str(header.split('token="')[1].split('"')[0])


def code(reply: httpx2.Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return reply.status_code, reply.json()["code"]


def balance(url: str, token: str) -> Any:
    """Return the balance that a token shows, or the status if it is refused."""
    reply = asked(url, token)("GET", "/account")
    return reply.json()["balance"] if reply.status_code == 200 else reply.status_code


def test_a_payment_opens_an_account_with_that_balance(
    url: str, db: Database, ask: Ask, pay: Callable[..., Any]
) -> None:
    quote = ask({"amount": 1234})
    assert quote.status_code == 402
    body = quote.json()
    assert quote.headers["content-type"] == "application/problem+json"
    assert (body["code"], body["amount"], len(body["payment_hash"])) == ("payment_required", 1234, 64)
    assert re.fullmatch("[0-9a-f]{64}", body["claim"]), "no option of a command line: it can't begin with a hyphen"
    assert f'invoice="{body["invoice"]}"' in quote.headers["www-authenticate"]
    unpaid = ask({"claim": body["claim"]})
    assert code(unpaid) == (402, "payment_required")
    assert unpaid.json()["invoice"] == body["invoice"]
    assert "claim" not in unpaid.json()
    pay(body["invoice"])
    opened = ask({"claim": body["claim"]})
    assert (opened.status_code, list(opened.json())) == (201, ["token"])
    token = opened.json()["token"]
    assert balance(url, token) == 1234
    mine = asked(url, token)
    (row,) = mine("GET", "/transactions").json()
    assert (row["kind"], row["amount"], row["reference"]) == ("lightning_deposit", 1234, body["payment_hash"])
    (invoice,) = mine("GET", "/invoices").json()
    assert (invoice["payment_hash"], invoice["status"]) == (body["payment_hash"], "settled")
    assert [event["kind"] for event in mine("GET", "/events", Accept="application/json").json()] == ["deposit.credited"]
    assert books_are_right(db)


def test_a_lost_answer_is_recovered_for_seven_days(url: str, ask: Ask, pay: Callable[..., Any]) -> None:
    body = ask({"amount": 500}).json()
    pay(body["invoice"])
    tokens = [ask({"claim": body["claim"]}, Idempotency_Key="one").json()["token"] for _ in range(3)]
    assert len(set(tokens)) == 3
    assert [balance(url, token) for token in tokens] == [401, 401, 500]
    owner = asked(url, new_token())
    assert owner("POST", "/sandbox/clock", {"advance_s": WEEK_S - 60}).status_code == 200
    last = ask({"claim": body["claim"]}).json()["token"]
    assert owner("POST", "/sandbox/clock", {"advance_s": 61}).status_code == 200
    assert code(ask({"claim": body["claim"]})) == (410, "claim_expired")
    assert balance(url, last) == 500, "the token stays valid"


def test_an_l402_credential_with_its_preimage_claims_too(url: str, ask: Ask, pay: Callable[..., Any]) -> None:
    quote = ask({"amount": 700})
    paid = pay(quote.json()["invoice"])
    for scheme in ("L402", "LSAT", "l402"):
        opened = ask(Authorization=f"{scheme} {credential_of(quote)}:{paid['preimage']}")
        assert opened.status_code == 201, opened.text
        assert balance(url, opened.json()["token"]) == 700
    again = ask({"amount": 700}, Authorization=f"L402 {credential_of(quote)}:{paid['preimage']}")
    assert again.status_code == 201, "as L402 clients repeat the request, with its body"


def test_nothing_but_the_credential_and_its_own_preimage_opens_an_account(
    db: Database, ask: Ask, pay: Callable[..., Any]
) -> None:
    first, second = ask({"amount": 700}), ask({"amount": 700})
    preimage, other = pay(first.json()["invoice"])["preimage"], pay(second.json()["invoice"])["preimage"]
    good, raw = credential_of(first), base64.b64decode(credential_of(first))
    foreign = l402.credential(l402.key_of(b"another service"), 1, first.json()["payment_hash"])
    altered = [raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :] for n in (0, 1, 8, 9, 40, 41, 72)]
    wrong = [
        f":{preimage}",
        preimage,
        f"{good}:{other}",
        f"{credential_of(second)}:{preimage}",
        f"{good}:",
        f"{good}",
        f"{good}:{preimage[:-2]}",
        f"{good}:{preimage}00",
        f"{good}:{'zz' * 32}",
        f"{good[:-4]}:{preimage}",
        f"{good},{good}:{preimage}",
        f"{foreign}:{preimage}",
        *(f"{base64.b64encode(each).decode()}:{preimage}" for each in altered),
    ]
    for authorization in wrong:
        assert code(ask(Authorization=f"L402 {authorization}")) == (401, "invalid_claim"), authorization
    for claim in ("x", first.json()["claim"] + "x", first.json()["claim"][:-1], first.json()["payment_hash"], preimage):
        assert code(ask({"claim": claim})) == (401, "invalid_claim")
    assert db.read_blocking(lambda tx: tx.all("SELECT id FROM sign_ups WHERE token_id IS NOT NULL")) == []


def test_a_payment_after_the_invoice_has_expired_still_opens_the_account(
    url: str, db: Database, ask: Ask, pay: Callable[..., Any]
) -> None:
    body = ask({"amount": 900}).json()
    assert asked(url, new_token())("POST", "/sandbox/clock", {"advance_s": 7200}).status_code == 200
    assert code(ask({"claim": body["claim"]})) == (402, "payment_required")
    pay(body["invoice"], fault="late")
    assert balance(url, ask({"claim": body["claim"]}).json()["token"]) == 900
    assert books_are_right(db)


def test_a_claim_waits_for_the_payment(url: str, ask: Ask, pay: Callable[..., Any]) -> None:
    body = ask({"amount": 300}).json()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, {"claim": body["claim"]}, wait=20)
        pay(body["invoice"])
        assert balance(url, waiting.result().json()["token"]) == 300


def test_of_claims_at_once_one_token_works(url: str, db: Database, ask: Ask, pay: Callable[..., Any]) -> None:
    body = ask({"amount": 300}).json()
    together = threading.Barrier(8)

    def claim(_: int) -> str:
        together.wait()
        return str(ask({"claim": body["claim"]}, wait=20).json()["token"])

    with ThreadPoolExecutor(9) as pool:
        claims = [pool.submit(claim, n) for n in range(8)]
        pay(body["invoice"], fault="twice")
        tokens = [each.result() for each in claims]
    assert sorted(balance(url, token) for token in tokens) == [300] + [401] * 7
    opened = db.read_blocking(lambda tx: tx.one("SELECT count(DISTINCT account_id) AS n FROM sign_ups"))
    assert opened is not None
    assert opened["n"] == 1
    assert books_are_right(db)


def test_requests_that_make_no_sense_are_refused(ask: Ask) -> None:
    for body in ({"amount": 0}, {"amount": -1}, {"amount": 1.5}, {"amount": "1"}, {"claim": ""}, {"x": 1}, [], "x"):
        assert code(ask(body)) == (422, "invalid_request"), body
    assert code(ask({"amount": 1, "claim": "x"})) == (422, "invalid_request")
    assert ask({}).status_code == ask().status_code == 201


def test_the_operator_decides_who_can_sign_up(db: Database, serve: Callable[..., str], ask: Ask, pay: Any) -> None:
    body = ask({"amount": 300}).json()
    pay(body["invoice"])
    closed = anonymous(serve(sandbox=False, signup="closed"))
    assert code(closed()) == (403, "signup_closed")
    assert "operator" in closed().json()["detail"]
    assert code(closed({"amount": 300})) == (403, "paid_signup_off")
    assert closed({"claim": body["claim"]}).status_code == 201, "what is paid can be claimed"
    paid = anonymous(serve(sandbox=False, signup="closed", paid_signup=True))
    assert code(paid()) == (403, "signup_closed")
    assert "Lightning" in paid().json()["detail"]
    assert code(paid({"amount": 300})) == (402, "payment_required")
    both = anonymous(serve(sandbox=False, paid_signup=True))
    assert both().status_code == 201


def sign_up_of(runtime: Runtime, claim: bytes = bytes(32), **changes: Any) -> Row:
    """Add a sign-up whose invoice the node is to create."""
    wanted = {"amount_sats": 1000, "network": None, "is_limited": False, **changes}
    return runtime.db.write_blocking(
        lambda tx: sign_up.want(
            tx,
            claim_sha256=claim,
            external_id=f"external {next(EXTERNAL_IDS)}",
            description="test",
            expiry_s=3600,
            now_us=runtime.clock.now_us(tx),
            wall_us=runtime.clock.wall_us(),
            **wanted,
        )
    )


def test_half_of_the_invoices_per_minute_are_reserved_for_renters(runtime: Runtime, wall: FakeWall) -> None:
    renter = Account(runtime, open_account(runtime.db), EXTERNAL_IDS)
    give_coins(runtime.db, renter.id, 1)
    for n in range(invoices.PER_MINUTE_OF_NEWCOMERS):
        sign_up_of(runtime, n.to_bytes(32, "big"), is_limited=True)
    with pytest.raises(TooManyInvoices):
        sign_up_of(runtime, b"one more", is_limited=True)
    newcomer = Account(runtime, open_account(runtime.db, seed=1), EXTERNAL_IDS)
    with pytest.raises(TooManyInvoices):
        newcomer.want(is_limited=True)
    renter.want(is_limited=True)
    wall.advance(seconds=61)
    sign_up_of(runtime, b"a minute later", is_limited=True)


def test_a_network_has_a_limited_number_of_open_sign_ups(runtime: Runtime, wall: FakeWall) -> None:
    for n in range(sign_up.OPEN_OF_NETWORK_MAX):
        sign_up_of(runtime, n.to_bytes(32, "big"), network="192.0.2.0/24")
    with pytest.raises(TooManyInvoices, match="your network"):
        sign_up_of(runtime, b"one more", network="192.0.2.0/24")
    sign_up_of(runtime, b"another network", network="198.51.100.0/24")
    wall.advance(seconds=3601)
    sign_up_of(runtime, b"the others have expired", network="192.0.2.0/24")


async def test_the_network_is_forgotten_when_it_is_not_needed(runtime: Runtime, wall: FakeWall) -> None:
    row = sign_up_of(runtime, network="192.0.2.0/24")
    assert runtime.invoices is not None
    await runtime.invoices.complete(row["invoice_id"], is_new=True)

    def networks(tx: Tx) -> list[Any]:
        return [row["network"] for row in tx.all("SELECT network FROM sign_ups")]

    assert runtime.db.read_blocking(networks) != [None]
    wall.advance(seconds=3601)
    runtime.db.write_blocking(lambda tx: invoices.expire(tx, now_us=runtime.clock.now_us(tx)))
    assert runtime.db.read_blocking(networks) == [None]


def test_what_is_paid_and_not_claimed_is_assigned_by_the_operator(
    url: str, db: Database, ask: Ask, pay: Callable[..., Any]
) -> None:
    body, unpaid = ask({"amount": 900}).json(), ask({"amount": 800}).json()
    pay(body["invoice"])
    address = asked(url, new_token())("POST", "/addresses").json()["address"]

    def assign(payment_hash: str) -> suspense.HandedOn:
        by = By("alice", "", START_US)
        return db.write_blocking(
            lambda tx: suspense.assign(tx, payment_hash, to_account_of=address, now_us=START_US, by=by)
        )

    waiting = db.read_blocking(sign_ups.unclaimed)
    assert (waiting["n"], waiting["sats"]) == (1, 900)
    with pytest.raises(suspense.NotInSuspense):
        assign(unpaid["payment_hash"])
    assert assign(body["payment_hash"]) == suspense.HandedOn(1, 900, 0, FIRST_CUSTOMER)
    assert balance(url, new_token()) == 900
    assert code(ask({"claim": body["claim"]})) == (410, "claim_expired")
    with pytest.raises(suspense.NotInSuspense):
        assign(body["payment_hash"])
    assert balance(url, new_token()) == 900
    assert books_are_right(db)


def opened_by(tx: Tx, payment_hash: str) -> int:
    """Return the account that a payment opened."""
    row = sign_ups.by_payment_hash(tx, payment_hash)
    assert row is not None
    return int(row["account_id"])


def test_a_claim_of_a_deleted_account_opens_nothing(url: str, db: Database, ask: Ask, pay: Callable[..., Any]) -> None:
    body = ask({"amount": 5}).json()
    pay(body["invoice"])
    token = ask({"claim": body["claim"]}).json()["token"]
    assert balance(url, token) == 5
    db.write_blocking(
        lambda tx: close_account.close_account(
            tx, opened_by(tx, body["payment_hash"]), given_up_max=5, now_us=START_US, wall_us=START_US
        )
    )
    assert code(ask({"claim": body["claim"]})) == (410, "claim_expired")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE sign_ups SET account_id = NULL",
        "UPDATE lightning_invoices SET account_id = 999",
        "DELETE FROM sign_ups",
    ],
)
def test_verify_finds_a_sign_up_that_contradicts_its_invoice(
    url: str, db: Database, ask: Ask, pay: Callable[..., Any], damage: str
) -> None:
    paid, _ = ask({"amount": 5}).json(), ask({"amount": 6})
    pay(paid["invoice"])
    assert books_are_right(db)
    db.write_blocking(lambda tx: tx.run(damage))
    assert any(isinstance(each, verify.WrongSignUp) for each in db.read_blocking(verify.differences))


@pytest.mark.parametrize("is_async", [False, True])
async def test_the_clients_sign_up_wait_and_claim(url: str, pay: Callable[..., Any], is_async: bool) -> None:
    quote = await AsyncDTMF.sign_up(2500, base_url=url) if is_async else DTMF.sign_up(2500, base_url=url)
    assert list(quote) == ["invoice", "payment_hash", "amount", "expires_at", "claim"]
    with ThreadPoolExecutor(1) as pool:
        paying = pool.submit(pay, quote["invoice"])
        if is_async:
            token = await AsyncDTMF.claim(quote, base_url=url, timeout=20)
        else:
            token = DTMF.claim(quote["claim"], base_url=url, timeout=20)
        paying.result()
    assert balance(url, token) == 2500


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_example_signs_up_and_continues_after_a_kill(url: str, db: Database, tmp_path: Path) -> None:
    open_account(db)
    claim, again = tmp_path / "claim.json", dict(os.environ)
    again |= {"DTMF_URL": url, "DTMF_TOKEN": new_token(), "DTMF_CLAIM_FILE": str(claim)}

    def run() -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(EXAMPLE), "--sandbox"]
        return subprocess.run(command, env=again, text=True, capture_output=True, timeout=60, check=False)

    first = run()
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines()[0] == "20000 satoshis"
    assert not claim.exists()
    quote = DTMF.sign_up(30_000, base_url=url)  # as if it was killed after its payment
    claim.write_text(json.dumps(quote))
    with DTMF(new_token(), base_url=url) as payer:
        payer.sandbox.pay(quote["invoice"])
    assert run().stdout.splitlines()[0] == "30000 satoshis"
