"""`/account/webhook`: the URL that receives the account's own events."""

from litestar import get, put

from dtmf_server.api import transactions
from dtmf_server.api.schemas import requests, responses
from dtmf_server.api.transactions import Caller, operation
from dtmf_server.core.body_templates import masked
from dtmf_server.http.request import Request
from dtmf_server.operations import account_webhook
from dtmf_server.storage.db import Tx


@get("/account/webhook", tags=["account"], summary="Get the account's webhook")
async def get_account_webhook(request: Request) -> responses.AccountWebhook:
    """Return the URL that receives `balance.low`, `deposit.credited` and `price.changing`; null if none is set."""
    url = await transactions.read_autocommit(request, lambda tx, caller: account_webhook.url(tx, caller.account_id))
    return responses.AccountWebhook(None if url is None else masked(url))


@operation(put, "/account/webhook", tags=["account"], summary="Set the account's webhook", status=200)
def put_account_webhook(tx: Tx, caller: Caller, new: requests.NewAccountWebhook) -> responses.AccountWebhook:
    """Set the URL that receives `balance.low`, `deposit.credited` and `price.changing`; null turns it off. Waiting events go
    to the new URL."""
    account_webhook.set_url(tx, caller.account_id, new.url, now_us=caller.now_us, set_by=caller.token_id)
    return responses.AccountWebhook(None if new.url is None else masked(new.url))


ROUTES = [get_account_webhook, put_account_webhook]
