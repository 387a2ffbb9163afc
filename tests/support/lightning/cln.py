"""A simulated Core Lightning: the shape of its plugin clnrest, and runes."""

from base64 import urlsafe_b64encode
from typing import Any

from dtmf_server.payments.lightning.cln_rune import METHODS, permitted
from support.lightning.http_server import Answer, Received
from support.lightning.simulated_node import NODE_ID, Refused, SimulatedNode, Stored

NETWORKS = {"main": "bitcoin", "test": "testnet"}


def rune(*restrictions: str) -> str:
    """Return a rune with these restrictions, like "method=invoice|method=getinfo"."""
    return urlsafe_b64encode(bytes(32) + "&".join(("=1", *restrictions)).encode()).decode().rstrip("=")


LIMITED = rune("|".join(f"method={method}" for method in METHODS))


def answer(node: SimulatedNode, received: Received) -> Answer:  # noqa: PLR0911 - one for each endpoint
    """Answer one request."""
    method, given = received.path.removeprefix("/v1/"), received.headers.get("rune", "")
    methods = permitted(given)
    if len(given) < 40:
        return _error(1501, "Not authorized: Not derived from master", 401)
    if methods is not None and method not in methods and not node.permits_everything:
        return _error(1502, "Not permitted: method is not equal to any of the permitted ones", 401)
    body = received.json() or {}
    match method:
        case "getinfo":
            network = NETWORKS.get(node.network, node.network)
            return Answer.json({"id": NODE_ID, "alias": "simulated", "network": network, "blockheight": 900_000}, 201)
        case "listpeerchannels":
            channel = {
                "state": "CHANNELD_NORMAL",
                "peer_connected": node.is_connected,
                "receivable_msat": node.capacity_msat,
            }
            awaiting = {"state": "CHANNELD_AWAITING_LOCKIN", "peer_connected": True, "receivable_msat": 1}
            return Answer.json({"channels": [channel, awaiting]}, 201)
        case "pay":
            node.attempts_to_pay.append(body["bolt11"])
            return _error(-32602, "Invalid bolt11: Bad bech32 string", 500)
        case "invoice":
            return _create(node, body)
        case "listinvoices":
            return Answer.json({"invoices": [_shown(node, one) for one in _matching(node, body)]}, 201)
        case "waitanyinvoice":
            found = node.settled_after(body["lastpay_index"], timeout_s=body["timeout"])
            return Answer.json(_shown(node, found[0]), 201) if found else _error(904, "Timed out while waiting")
    return _error(-32601, f"Unknown command '{method}'")


def _create(node: SimulatedNode, body: dict[str, Any]) -> Answer:
    if any(one.external_id == body["label"] for one in node.invoices.values()):
        return _error(900, f"Duplicate label '{body['label']}'")
    amount = body["amount_msat"]
    try:
        stored = node.create(
            external_id=body["label"],
            amount_msat=None if amount == "any" else amount,
            description=body["description"],
            expiry_s=body["expiry"],
            is_bounded=False,
        )
    except Refused as error:
        return _error(-32602, str(error))
    shown = _shown(node, stored)
    created = {key: shown[key] for key in ("payment_hash", "bolt11", "expires_at")}
    if (stored.amount_msat or 0) > node.capacity_msat:
        created["warning_capacity"] = "Insufficient incoming channel capacity to pay invoice"
    elif not node.is_connected:
        created["warning_offline"] = "Insufficient incoming capacity, once offline peers were excluded"
    return Answer.json(created, 201)


def _matching(node: SimulatedNode, body: dict[str, str]) -> list[Stored]:
    found = sorted(node.invoices.values(), key=lambda one: one.number)
    wanted = {"label": "external_id", "payment_hash": "payment_hash"}
    return [one for one in found if all(getattr(one, wanted[key]) == value for key, value in body.items())]


def _shown(node: SimulatedNode, one: Stored) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "label": one.external_id,
        "bolt11": one.bolt11,
        "payment_hash": one.payment_hash,
        "status": "paid" if one.settled_us else "expired" if node.is_expired(one) else "unpaid",
        "description": one.description,
        "expires_at": one.expires_us // 1_000_000,
    }
    if one.amount_msat is not None:
        shown["amount_msat"] = one.amount_msat
    if one.settled_us:
        paid = {"pay_index": one.index, "amount_received_msat": one.received_msat}
        shown |= {**paid, "paid_at": one.settled_us // 1_000_000, "payment_preimage": "00" * 32}
    return shown


def _error(code: int, message: str, status: int = 500) -> Answer:
    return Answer.json({"code": code, "message": message, "data": None}, status)
