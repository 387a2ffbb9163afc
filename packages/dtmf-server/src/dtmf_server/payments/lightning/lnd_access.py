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


def permissions(macaroon: bytes) -> frozenset[str] | None:
    """Return the permissions of a macaroon, None if it is not one of LND."""
    try:
        return frozenset(lnd_macaroon.permissions(macaroon))
    except ValueError:
        return None


def check_permissions(found: frozenset[str] | None) -> None:
    """Raise CanSpend if a macaroon with these permissions can spend, NodeUnavailable if it lacks one."""
    if found is None:
        raise NodeUnavailable(f"{MACAROON} is not a macaroon of LND: {HOW}")
    if more := sorted(each for each in found - NEEDED if not each.endswith(":read")):
        raise CanSpend(f"{MACAROON} permits {', '.join(more)}: {HOW}")
    if missing := sorted(NEEDED - found):
        raise NodeUnavailable(f"{MACAROON} lacks {', '.join(missing)}: {HOW}")


async def check_that_payments_are_denied(api: NodeApi) -> None:
    """Raise CanSpend unless LND denies a payment. It checks permissions before it reads the request, and the invoice is
    none, so nothing can be spent."""
    reply = await api.request("POST", "/v2/router/send", body={"payment_request": "none", "timeout_seconds": 1})
    if not reply.is_error or (DENIED not in reply.text().lower() and not reply.refuses_credentials):
        raise CanSpend(f"LND did not deny a payment with {MACAROON} (status {reply.status}): {HOW}")
