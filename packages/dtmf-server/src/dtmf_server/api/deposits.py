"""`/addresses` and `/deposits`: deposit addresses, and deposits to them."""

from litestar import get, post

from dtmf_server.api import transactions
from dtmf_server.api.schemas import responses
from dtmf_server.api.transactions import Caller, operation
from dtmf_server.core.errors import DepositsUnavailable
from dtmf_server.http.client_address import network_of
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import deposit
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import deposits
from dtmf_server.storage.db import Tx


@get("/addresses", tags=["deposits"], summary="List deposit addresses")
async def get_addresses(request: Request) -> list[responses.Address]:
    """Return all addresses of the account, oldest first. Bitcoin sent to any of them is credited."""
    rows = await transactions.read(request, lambda tx, caller: deposits.addresses_of(tx, caller.account_id))
    return [responses.Address(row["address"]) for row in rows]


def _refuse_without_descriptor(runtime: Runtime) -> None:
    if runtime.derive is None:
        raise DepositsUnavailable


@operation(
    post,
    "/addresses",
    tags=["deposits"],
    summary="Create a deposit address",
    status=201,
    requires=_refuse_without_descriptor,
)
def post_addresses(tx: Tx, caller: Caller, *, request: Request) -> responses.Address:
    """Create a deposit address that was never used before. At most 20 addresses of an account may be unused, and 200 of all
    accounts in one network (/24, /48)."""
    runtime = runtime_of(request)
    assert runtime.derive is not None
    network = None if runtime.settings.sandbox else network_of(request.scope, runtime.settings.trusted_proxies)
    return responses.Address(
        deposit.new_address(tx, caller.account_id, derive=runtime.derive, now_us=caller.now_us, network=network)
    )


@get("/deposits", tags=["deposits"], summary="List deposits")
async def get_deposits(request: Request) -> list[responses.Deposit]:
    """Return deposits to the account's addresses, oldest first, including pending ones."""
    rows = await transactions.read(request, lambda tx, caller: deposit.deposits_of(tx, caller.account_id))
    return [responses.deposit(row, confirmations) for row, confirmations in rows]


ROUTES = [get_addresses, post_addresses, get_deposits]
