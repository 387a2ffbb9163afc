"""The permissions of a macaroon of LND, and how LND refuses one."""

import re

from dtmf_server.payments.lightning import lnd_macaroon
from dtmf_server.payments.lightning.base import CanSpend, NodeUnavailable
from dtmf_server.payments.lightning.node_api import NodeApi, NodeReply

MACAROON = "lightning.macaroon"
NEEDED = frozenset({"invoices:read", "invoices:write", "info:read", "offchain:read"})
HOW = f"bake one that cannot: lncli bakemacaroon {' '.join(sorted(NEEDED))}"
DENIED = "permission denied"
# LND answers invalid macaroons with these texts and the status 500, https://github.com/lightningnetwork/lnd/issues/3644
INVALID = ("verification failed", "macaroon")

is_hex = re.compile(r"(?:[0-9A-Fa-f]{2}){20,4000}\Z").match


def refuses(reply: NodeReply) -> bool:
    """Return True if a reply refuses the macaroon: it is invalid, or lacks a permission."""
    text = reply.text().lower()
    return reply.refuses_credentials or DENIED in text or any(each in text for each in INVALID)


def failure(reply: NodeReply) -> NodeUnavailable:
    """Return the error for a reply that is not the expected one."""
    if refuses(reply):
        return NodeUnavailable(f"LND refuses the credentials ({reply.text()}): check {MACAROON}; {HOW}")
    return reply.failure(MACAROON)


async def check(api: NodeApi, macaroon: bytes) -> None:
    """Raise CanSpend if the macaroon can spend, NodeUnavailable if it is invalid or lacks a permission."""
    try:
        permissions = frozenset(lnd_macaroon.permissions(macaroon))
    except ValueError as error:
        raise NodeUnavailable(f"{MACAROON} is not a macaroon of LND: {error}; {HOW}") from error
    if more := sorted(permissions - NEEDED - {each for each in permissions if each.endswith(":read")}):
        raise CanSpend(f"{MACAROON} permits {', '.join(more)}: {HOW}")
    reply = await api.get("/v1/getinfo")
    if reply.is_error:
        raise failure(reply)
    if missing := sorted(NEEDED - permissions):
        raise NodeUnavailable(f"{MACAROON} lacks {', '.join(missing)}: {HOW}")
    await _check_that_payments_are_denied(api)


async def _check_that_payments_are_denied(api: NodeApi) -> None:
    """LND checks permissions before it reads the request, so an invoice that is none cannot cost anything."""
    reply = await api.request("POST", "/v2/router/send", body={"payment_request": "none", "timeout_seconds": 1})
    if not reply.is_error or (DENIED not in reply.text().lower() and not reply.refuses_credentials):
        raise CanSpend(f"LND did not deny a payment with {MACAROON} (status {reply.status}): {HOW}")
