"""`/addresses` and `/deposits`: how coins reach the account."""

from litestar import Response, get, post

from dtmf_server.api import transactions
from dtmf_server.api.schemas import responses
from dtmf_server.core.errors import DepositsUnavailable
from dtmf_server.http.client_address import network_of
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import deposit
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.storage import deposits
from dtmf_server.storage.db import Tx


@get("/addresses", tags=["deposits"], summary="Deposit addresses")
async def get_addresses(request: Request) -> list[responses.Address]:
    """Every address ever given to the account, oldest first; coins sent to any of them are credited."""
    rows = await transactions.read(request, lambda tx, caller: deposits.addresses_of(tx, caller.account_id))
    return [responses.Address(row["address"]) for row in rows]


@post("/addresses", tags=["deposits"], summary="A new address", responses=transactions.answers(201, responses.Address))
async def post_addresses(request: Request) -> Response[bytes]:
    """An address never given to anyone before. At most 20 of an account may wait for their first deposit, and 200 of all
    accounts in one network (/24, /48)."""
    runtime = runtime_of(request)
    derive = runtime.derive
    if derive is None:
        raise DepositsUnavailable
    network = None if runtime.settings.sandbox else network_of(request.scope, runtime.settings.trusted_proxies)

    def give(tx: Tx, caller: transactions.Caller) -> StoredResponse:
        address = deposit.new_address(tx, caller.account_id, derive=derive, now_us=caller.now_us, network=network)
        return transactions.answer(201, responses.Address(address))

    return await transactions.write(request, give, body=await request.body())


@get("/deposits", tags=["deposits"], summary="Deposits")
async def get_deposits(request: Request) -> list[responses.Deposit]:
    """What was paid to the account's addresses, oldest first, pending outputs too."""
    rows = await transactions.read(request, lambda tx, caller: deposit.deposits_of(tx, caller.account_id))
    return [responses.deposit(row, confirmations) for row, confirmations in rows]


ROUTES = [get_addresses, post_addresses, get_deposits]
