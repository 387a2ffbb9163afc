"""A simulated Electrum daemon: the JSON-RPC of Electrum 4.3.4, as tests/lightning_nodes/ sees it on the real one."""

from base64 import b64decode
from typing import Any

from support.lightning.http_server import Answer, Received
from support.lightning.simulated_node import NODE_ID, Refused, SimulatedNode, Stored

USER, PASSWORD = "dtmf", "rpc-password-Zq7"
NETWORKS = {"main": "mainnet", "test": "testnet"}
UNPAID, EXPIRED, PAID = 0, 1, 3


def answer(node: SimulatedNode, received: Received) -> Answer:
    """Answer one request."""
    if not (encoded := received.headers.get("authorization", "").removeprefix("Basic ")):
        return Answer(401, b"Unauthorized")
    if b64decode(encoded).decode() != f"{USER}:{PASSWORD}":
        return Answer(403, b"Forbidden")
    asked = received.json()
    try:
        result = _result(node, asked["method"], asked["params"])
    except Refused as error:
        return Answer.json({"id": asked["id"], "jsonrpc": "2.0", "error": {"code": 1, "message": str(error)}})
    return Answer.json({"id": asked["id"], "jsonrpc": "2.0", "result": result})


def _result(node: SimulatedNode, method: str, options: dict[str, Any]) -> Any:  # noqa: PLR0911 - one for each endpoint
    match method:
        case "getinfo":
            network = NETWORKS.get(node.network, node.network)
            return {"network": network, "connected": True, "blockchain_height": 110, "server_height": 110}
        case "nodeid":
            return f"{NODE_ID}@127.0.0.1:9735"
        case "list_channels":
            usable = {"state": "OPEN", "peer_state": "GOOD", "remote_balance": node.capacity_msat // 1000 + 1000}
            return [
                usable | {"remote_reserve": 1000},
                {"type": "BACKUP", "state": "REDEEMED", "peer_state": "DISCONNECTED"},
            ]
        case "add_request":
            return _add_request(node, options)
        case "delete_request":
            return node.invoices.pop(options["request_id"], None) is not None
        case "get_request":
            if options["request_id"] not in node.invoices:
                raise Refused("Request not found")
            return _shown(node, node.invoices[options["request_id"]])
        case "list_requests":
            return [_shown(node, one) for one in node.invoices.values()]
        case "lightning_history":
            return _history(node)
    raise Refused(f"attempting to use unregistered method: {method}")


def _add_request(node: SimulatedNode, options: dict[str, Any]) -> dict[str, Any]:
    whole, _, part = options["amount"].partition(".")
    msat = int(whole + part.ljust(8, "0")) * 1000
    stored = node.create(
        external_id=options["memo"],
        amount_msat=msat or None,
        description=options["memo"],
        expiry_s=options["expiration"],
        is_bounded=False,  # Electrum also creates what it cannot receive
    )
    return _shown(node, stored)


def _shown(node: SimulatedNode, one: Stored) -> dict[str, Any]:
    status = PAID if one.settled_us else EXPIRED if node.is_expired(one) else UNPAID
    return {
        "is_lightning": True,
        "message": one.description,
        "timestamp": one.created_us // 1_000_000,
        "expiration": one.expires_us // 1_000_000,
        "status": status,
        "request_id": one.payment_hash,
        "rhash": one.payment_hash,
        "lightning_invoice": one.bolt11,
        "amount_msat": one.amount_msat or 0,
        "can_receive": (one.amount_msat or 0) <= node.capacity_msat,
    }


def _history(node: SimulatedNode) -> list[dict[str, Any]]:
    opening = {"type": "channel_opening", "direction": 1, "amount_msat": 2_000_000_000, "timestamp": 1_700_000_000}
    payments = [
        {
            "type": "payment",
            "direction": 1,
            "amount_msat": one.received_msat,
            "fee_msat": None,
            "payment_hash": one.payment_hash,
            "timestamp": (one.settled_us or 0) // 1_000_000,
        }
        for one in node.settled()
    ]
    sent = {
        "type": "payment",
        "direction": 0,
        "amount_msat": -5000,
        "payment_hash": "ee" * 32,
        "timestamp": 1_700_000_001,
    }
    return [opening, sent, *payments]
