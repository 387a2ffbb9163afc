"""A simulated phoenixd: the shape of ACINQ/phoenixd, Api.kt and JsonSerializers.kt."""

from base64 import b64decode
from typing import Any

from support.lightning.http_server import Answer, Received
from support.lightning.simulated_node import NODE_ID, Refused, SimulatedNode, Stored

LIMITED, FULL = "limited-password-Zq7", "full-password-Zq7"
CHAINS = {"main": "mainnet", "test": "testnet"}
LIMIT = 20


def answer(node: SimulatedNode, received: Received) -> Answer:  # noqa: PLR0911 - one for each endpoint
    """Answer one request."""
    password = b64decode(received.headers.get("authorization", "").removeprefix("Basic ")).decode().partition(":")[2]
    if password not in (LIMITED, FULL):
        return Answer(401, b"Invalid authentication (use basic auth with the http password set in phoenix.conf)")
    match received.method, received.path.strip("/").split("/"):
        case "GET", ["getinfo"]:
            channel = {"state": "Normal", "balanceSat": 1, "inboundLiquiditySat": node.capacity_msat // 1000}
            chain = CHAINS.get(node.network, node.network)
            return Answer.json({"nodeId": NODE_ID, "channels": [channel], "chain": chain, "blockHeight": 900_000})
        case "POST", ["payinvoice"]:
            if password == LIMITED:
                return Answer(
                    401, b"Invalid authentication (use basic auth with the http password set in phoenix.conf)"
                )
            node.attempts_to_pay.append(received.form().get("invoice", ""))
            return Answer(400, b"Request parameter invoice couldn't be parsed/converted to bolt11invoice")
        case "POST", ["createinvoice"]:
            return _create(node, received.form())
        case "GET", ["payments", "incoming"]:
            return Answer.json(_listed(node, received.query))
        case "GET", ["payments", "incoming", payment_hash]:
            found = node.invoices.get(payment_hash)
            return Answer.json(_shown(node, found)) if found else Answer(404, b"Not found")
    return Answer(404, b"Unknown endpoint (check api doc)")


def _create(node: SimulatedNode, form: dict[str, str]) -> Answer:
    if len(form["description"]) > 128:
        return Answer(400, b"Request parameter description is too long (max 128 characters)")
    amount = int(form["amountSat"]) * 1000 if "amountSat" in form else None
    try:
        stored = node.create(
            external_id=form.get("externalId", ""),
            amount_msat=amount,
            description=form["description"],
            expiry_s=int(form.get("expirySeconds", 3600)),
        )
    except Refused as error:
        return Answer(400, str(error).encode())
    shown = {"paymentHash": stored.payment_hash, "serialized": stored.bolt11}
    return Answer.json(shown if amount is None else shown | {"amountSat": amount // 1000})


def _listed(node: SimulatedNode, query: dict[str, str]) -> list[dict[str, Any]]:
    start, limit, offset = int(query.get("from", 0)), int(query.get("limit", LIMIT)), int(query.get("offset", 0))
    every = query.get("all") == "true"
    found = [
        (one.created_us if every else one.settled_us or 0, one)
        for one in node.invoices.values()
        if (every or one.settled_us) and query.get("externalId") in (None, one.external_id)
    ]
    newest_first = sorted(found, key=lambda pair: (pair[0], pair[1].number), reverse=True)
    kept = [one for at_us, one in newest_first if at_us // 1000 >= start]
    return [_shown(node, one) for one in kept[offset : offset + limit]]


def _shown(node: SimulatedNode, one: Stored) -> dict[str, Any]:
    shown = {
        "type": "incoming_payment",
        "subType": "lightning",
        "paymentHash": one.payment_hash,
        "preimage": "00" * 32,
        "externalId": one.external_id,
        "description": one.description,
        "invoice": one.bolt11,
        "isPaid": one.settled_us is not None,
        "isExpired": node.now_us > one.expires_us,
        "receivedSat": one.received_msat // 1000,  # rounded down
        "fees": one.fee_msat,
        "expiresAt": one.expires_us // 1000,
        "createdAt": one.created_us // 1000,
    }
    if one.amount_msat is not None:
        shown["requestedSat"] = one.amount_msat // 1000
    if one.settled_us is not None:
        shown["completedAt"] = one.settled_us // 1000
    return shown
