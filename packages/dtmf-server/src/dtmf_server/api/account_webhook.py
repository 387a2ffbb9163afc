"""`/account/webhook`: where the account's own events are posted."""

from litestar import Response, get, put

from dtmf_server.api import request_body, transactions
from dtmf_server.api.schemas import requests, responses
from dtmf_server.core import webhook_url
from dtmf_server.core.errors import InvalidRequest
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account_webhook
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.storage.db import Tx


@get("/account/webhook", tags=["account"], summary="The account's webhook")
async def get_account_webhook(request: Request) -> responses.AccountWebhook:
    """Where `balance.low` is posted, null for nowhere."""
    url = await transactions.read_autocommit(request, lambda tx, caller: account_webhook.url(tx, caller.account_id))
    return responses.AccountWebhook(url)


@put(
    "/account/webhook",
    tags=["account"],
    summary="Set the account's webhook",
    operation_class=request_body.describes_body(requests.NewAccountWebhook),
    responses=transactions.answers(200, responses.AccountWebhook),
)
async def put_account_webhook(request: Request) -> Response[bytes]:
    """Sets where `balance.low` is posted; null for nowhere. What waits follows."""
    raw = await request.body()
    url = request_body.decode(raw, requests.NewAccountWebhook).url
    if url is not None:
        try:
            webhook_url.parse(url, sandbox=runtime_of(request).settings.sandbox)
        except ValueError as error:
            raise InvalidRequest("url", f"not a webhook's URL: {error}") from error

    def set_url(tx: Tx, caller: transactions.Caller) -> StoredResponse:
        account_webhook.set_url(tx, caller.account_id, url, now_us=caller.now_us)
        return transactions.answer(200, responses.AccountWebhook(url))

    return await transactions.write(request, set_url, body=raw)


ROUTES = [get_account_webhook, put_account_webhook]
