"""`POST /accounts`: opens an account, at once or for a Lightning payment, and hands out its token.

An answer of 402 is not stored for the Idempotency-Key, so that its secret never reaches another caller with the same key.
A claim can be repeated by itself, and ignores the key.
"""

import hashlib
import secrets
from collections.abc import Callable
from typing import Annotated, Any

from litestar import Response, post
from litestar.params import QueryParameter

from dtmf_server.api import problems, request_body, transactions
from dtmf_server.api.schemas import requests
from dtmf_server.api.schemas import sign_up as schemas
from dtmf_server.api.transactions import Caller, operation
from dtmf_server.core import api_token, l402
from dtmf_server.core.errors import (
    LightningNotConfigured,
    LightningUnavailable,
    PaidSignupOff,
    PaymentRequired,
    SignupClosed,
)
from dtmf_server.core.lightning import MSAT
from dtmf_server.core.timestamps import iso
from dtmf_server.http import client_address, long_poll, sse
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account, invoices, sign_up
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import sign_ups
from dtmf_server.storage.db import Row, Tx

CLAIM_BYTES = 32


async def _write(
    request: Request, act: Callable[[Tx, Caller], Any], *, body: bytes
) -> StoredResponse | Response[Any] | Any:
    """Open an account, create an invoice, or claim an account, as the request asks."""
    asked, runtime = request_body.decode(body or b"{}", requests.NewAccount), runtime_of(request)
    authorization = client_address.header(request.scope, b"authorization")
    if asked.claim is not None:
        claim_sha256 = _sha256(asked.claim)
        return await _claim(request, lambda tx: sign_up.by_claim(tx, claim_sha256))
    if l402.is_presented(authorization):
        return await _claim(request, lambda tx: sign_up.by_credential(tx, authorization))
    if asked.amount is not None:
        return await _want(request, asked.amount)
    if not runtime.settings.sandbox and runtime.settings.signup != "open":
        raise SignupClosed(_how_to_pay(runtime))
    return await transactions.write_anonymous(request, act, body=body)


@operation(
    post,
    "/accounts",
    tags=["account"],
    summary="Sign up",
    security=[],
    status=201,
    secret=True,
    write=_write,
    responses=transactions.answers(201, schemas.NewAccountAnswer) | transactions.answers(402, schemas.SignUpProblem),
)
def post_accounts(
    tx: Tx,
    caller: Caller,
    new: requests.NewAccount,
    *,
    wait: Annotated[
        float, QueryParameter(ge=0, le=sse.WAIT_MAX_S, description="seconds a claim waits for the payment")
    ] = 0,
) -> schemas.NewAccountAnswer:
    """Open an account, if the operator allows sign-up. The token is shown only once.

    With an amount, the response is a 402 with a Lightning invoice and a claim, where the operator allows paid sign-up.
    Once the invoice is paid, the claim opens an account with that balance; for 7 days it can be repeated, which creates
    another token and revokes the one before. `Authorization: L402 <token>:<preimage>`, with the token from
    `WWW-Authenticate`, does the same.
    """
    new_token = api_token.mint(secrets.token_bytes(32))
    account.open_account(tx, token_sha256=api_token.sha256(new_token), now_us=caller.now_us)
    return schemas.NewAccountAnswer(new_token)


def _how_to_pay(runtime: Runtime) -> str | None:
    if not runtime.settings.paid_signup:
        return None
    return (
        'an account of this service is opened by a Lightning payment: send {"amount": …}, the satoshis that become its'
        " balance, and pay the invoice in the response"
    )


async def _want(request: Request, amount: int) -> Response[bytes]:
    """Commit the wanted invoice, have the node create it, and return it with the secret that claims the account."""
    runtime, claim = runtime_of(request), secrets.token_hex(CLAIM_BYTES)
    settings, creator = runtime.settings, runtime.invoices
    if not (settings.sandbox or settings.paid_signup):
        raise PaidSignupOff
    if creator is None:
        raise LightningNotConfigured
    network = None if settings.sandbox else client_address.network_of(request.scope, settings.trusted_proxies)

    def want(tx: Tx) -> Row:
        return sign_up.want(
            tx,
            amount_sats=amount,
            claim_sha256=_sha256(claim),
            external_id=secrets.token_hex(16),
            description=creator.description,
            expiry_s=creator.expiry_s,
            network=network,
            is_limited=not settings.sandbox,
            now_us=runtime.clock.now_us(tx),
            wall_us=runtime.clock.wall_us(),
        )

    wanted = await runtime.db.write(want)
    try:
        await creator.complete(wanted["invoice_id"], is_new=True)
    except LightningUnavailable as error:
        raise LightningUnavailable("the Lightning node can't be reached right now: try again") from error
    row, credential = await runtime.db.read(lambda tx: _with_credential(tx, sign_ups.by_id(tx, wanted["id"])))
    return _payment_required(row, credential, claim=claim)


async def _claim(request: Request, find: Callable[[Tx], Row]) -> StoredResponse | Response[bytes]:
    """Claim the account; if it isn't paid yet, wait for the payment as long as the request asks."""
    db, clock = runtime_of(request).db, runtime_of(request).clock
    wait_s = float(request.query_params.get("wait", 0))  # validated by the handler's signature
    row, credential = await db.read(lambda tx: _with_credential(tx, find(tx)))
    sign_up_id = row["id"]

    async def paid() -> list[Row]:
        found = await db.read_autocommit(lambda tx: sign_ups.by_id(tx, sign_up_id))
        return [found] if found is not None and found["account_id"] is not None else []

    if row["account_id"] is None and wait_s:
        topic, question = invoices.sign_up_topic(sign_up_id), ("sign_up", sign_up_id)
        found = await long_poll.poll(db.wakeups, topic, paid, wait_s=wait_s, question=question, receive=request.receive)
        row = found[0] if found else row
    if row["account_id"] is None:
        return _payment_required(row, credential)
    new_token = api_token.mint(secrets.token_bytes(32))
    sha256 = api_token.sha256(new_token)
    await db.write(lambda tx: sign_up.claim(tx, sign_up_id, token_sha256=sha256, now_us=clock.now_us(tx)))
    return transactions.answer(201, schemas.NewAccountAnswer(new_token), secret=True)


def _with_credential(tx: Tx, row: Row) -> tuple[Row, str]:
    return row, sign_up.credential(tx, row)


def _payment_required(row: Row, credential: str, *, claim: str | None = None) -> Response[bytes]:
    """Return the invoice as a problem and as an L402 challenge."""
    members: dict[str, object] = {
        "invoice": row["bolt11"],
        "payment_hash": row["payment_hash"],
        "amount": row["amount_msat"] // MSAT,
        "expires_at": iso(row["expires_at_us"]),
    }
    return problems.problem(
        PaymentRequired.status,
        code=PaymentRequired.code,
        title=PaymentRequired.title,
        detail=PaymentRequired().detail,
        members=members if claim is None else {**members, "claim": claim},
        headers={"WWW-Authenticate": l402.challenge(credential, row["bolt11"])},
    )


def _sha256(claim: str) -> bytes:
    return hashlib.sha256(claim.encode()).digest()


ROUTES = [post_accounts]
