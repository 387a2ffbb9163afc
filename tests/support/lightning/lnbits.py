"""A simulated LNbits: the shape of its release 1.6."""

from datetime import UTC, datetime
from typing import Any

from support.lightning.http_server import Answer, Received
from support.lightning.simulated_node import Refused, SimulatedNode, Stored

INVOICE_KEY, ADMIN_KEY = "1" * 31 + "7", "2" * 31 + "7"


def answer(node: SimulatedNode, received: Received) -> Answer:  # noqa: PLR0911 - one for each endpoint
    """Answer one request."""
    key = received.headers.get("x-api-key", "")
    if key not in (INVOICE_KEY, ADMIN_KEY):
        return Answer.json({"detail": "Wallet not found."}, 404)
    match received.method, received.path.removeprefix("/api/v1/").split("/"):
        case "GET", ["wallet"]:
            wallet = {"name": "DTMF", "balance": 0}
            return Answer.json(wallet | {"id": "5" * 32} if key == ADMIN_KEY else wallet)
        case "POST", ["payments"]:
            return _post(node, received.json(), is_admin=key == ADMIN_KEY)
        case "GET", ["payments"]:
            return Answer.json(_listed(node, received.query))
        case "GET", ["payments", payment_hash]:
            found = node.invoices.get(payment_hash)
            if found is None:
                return Answer.json({"detail": "Payment does not exist."}, 404)
            shown = _shown(node, found)
            return Answer.json({"paid": found.settled_us is not None, "status": shown["status"], "details": shown})
    return Answer.json({"detail": "Not Found"}, 404)


def _post(node: SimulatedNode, body: dict[str, Any], *, is_admin: bool) -> Answer:
    if body["out"]:
        if not is_admin:
            return Answer.json({"detail": "Invoice (or Admin) key required."}, 403)
        node.attempts_to_pay.append(body.get("bolt11", ""))
        return Answer.json({"detail": "Missing BOLT11 invoice"}, 400)
    try:
        stored = node.create(
            external_id=body["extra"]["tag"],
            amount_msat=int(body["amount"] * 1000),
            description=body["memo"],
            expiry_s=body["expiry"],
        )
    except Refused as error:
        return Answer.json({"detail": str(error), "status": "failed"}, 520)
    return Answer.json(_shown(node, stored), 201)


def _listed(node: SimulatedNode, query: dict[str, str]) -> list[dict[str, Any]]:
    shown = [_shown(node, one) for one in node.invoices.values()]
    found = [one for one in shown if all(one[key] == query[key] for key in ("tag", "status") if key in query)]
    found.sort(key=lambda one: one[query.get("sortby", "time")], reverse=query.get("direction", "desc") == "desc")
    offset = int(query.get("offset", 0))
    return found[offset : offset + int(query.get("limit", 1000))]


def _shown(node: SimulatedNode, one: Stored) -> dict[str, Any]:
    return {
        "checking_id": one.payment_hash,
        "payment_hash": one.payment_hash,
        "amount": one.received_msat if one.settled_us else one.amount_msat,
        "fee": 0,
        "bolt11": one.bolt11,
        "status": "success" if one.settled_us else "failed" if node.is_expired(one) else "pending",
        "memo": one.description,
        "tag": one.external_id,
        "extra": {"tag": one.external_id},
        "expiry": _iso(one.expires_us),
        "time": _iso(one.created_us),
        "updated_at": _iso(one.settled_us or one.created_us),
    }


def _iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat()
