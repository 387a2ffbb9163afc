"""A simulated LND: its REST API, its macaroons, and the faults of its stream (lnd#2469, lnd#7071)."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

from dtmf_server.payments.lightning import lnd_macaroon
from support.lightning.http_server import Answer, Received
from support.lightning.simulated_node import NODE_ID, Refused, SimulatedNode, Stored

CHAINS = {"main": "mainnet", "test": "testnet"}
NEEDED = {
    ("POST", "invoices"): "invoices:write",
    ("GET", "invoices"): "invoices:read",
    ("GET", "invoice"): "invoices:read",
    ("GET", "getinfo"): "info:read",
    ("GET", "channels"): "offchain:read",
    ("POST", "router"): "offchain:write",
}
PERMISSIONS = ("info:read", "invoices:read", "invoices:write", "offchain:read")


def macaroon(*permissions: str) -> str:
    """Return a macaroon in hexadecimal with these permissions."""
    actions: dict[str, list[str]] = {}
    for each in permissions:
        entity, _, action = each.rpartition(":")
        actions.setdefault(entity, []).append(action)
    operations = [
        _field(1, entity.encode()) + b"".join(_field(2, one.encode()) for one in each)
        for entity, each in actions.items()
    ]
    message = _field(1, bytes(16)) + _field(2, b"0") + b"".join(_field(3, each) for each in operations)
    identifier = b"\x03" + message
    packets = b"\x02\x01\x03lnd\x02" + _varint(len(identifier)) + identifier + b"\x00\x00\x06\x20" + bytes(32)
    return packets.hex()


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)


def answer(node: SimulatedNode, received: Received) -> Answer:  # noqa: PLR0911 - one for each endpoint
    """Answer one request."""
    _, _, *path = received.path.split("/")
    try:
        permissions = lnd_macaroon.permissions(bytes.fromhex(received.headers["grpc-metadata-macaroon"]))
    except (ValueError, KeyError):
        return _error("verification failed: signature mismatch after caveat verification", 2, 500)
    needed = NEEDED.get((received.method, path[0]))
    if needed not in permissions and not node.permits_everything:
        return _error("permission denied", 2, 500)
    match received.method, path:
        case "GET", ["getinfo"]:
            chains = [{"chain": "bitcoin", "network": CHAINS.get(node.network, node.network)}]
            info = {"identity_pubkey": NODE_ID, "alias": "simulated", "chains": chains, "synced_to_chain": True}
            return Answer.json(info)
        case "GET", ["channels"]:
            channel = {"remote_balance": str(node.capacity_msat // 1000 + 1000), "remote_chan_reserve_sat": "1000"}
            is_shown = node.is_connected or received.query.get("active_only") != "true"
            return Answer.json({"channels": [channel] if is_shown else []})
        case "POST", ["router", "send"]:
            node.attempts_to_pay.append(received.json()["payment_request"])
            return _error("invalid bech32 string length 4", 2, 500)
        case "POST", ["invoices"]:
            return _create(node, received.json())
        case "GET", ["invoices"]:
            return _listed(node, received.query)
        case "GET", ["invoices", "subscribe"]:
            return Answer(200, lines=_stream(node, int(received.query["settle_index"])))
        case "GET", ["invoice", payment_hash]:
            found = node.invoices.get(payment_hash)
            return Answer.json(_shown(node, found)) if found else _error("unable to locate invoice", 5, 404)
    return _error("Not Found", 5, 404)


def _create(node: SimulatedNode, body: dict[str, Any]) -> Answer:
    try:
        stored = node.create(
            external_id="",
            amount_msat=int(body["value_msat"]) or None,
            description=body["memo"],
            expiry_s=int(body["expiry"]),
            preimage=b64decode(body["r_preimage"]),
            is_bounded=False,  # LND creates invoices that it cannot receive
        )
    except Refused as error:
        return _error(str(error), 2, 500)
    r_hash = b64encode(bytes.fromhex(stored.payment_hash)).decode()
    created = {"r_hash": r_hash, "payment_request": stored.bolt11, "add_index": str(stored.number)}
    return Answer.json(created)


def _listed(node: SimulatedNode, query: dict[str, str]) -> Answer:
    start, limit = int(query["index_offset"]), int(query["num_max_invoices"])
    found = sorted((one for one in node.invoices.values() if one.number > start), key=lambda one: one.number)[:limit]
    last = str(found[-1].number) if found else "0"
    return Answer.json({"invoices": [_shown(node, one) for one in found], "last_index_offset": last})


def _stream(node: SimulatedNode, index: int) -> Iterator[bytes]:
    """Send the backlog after an index, none for 0, and then what settles. The first invoice comes twice."""
    position = index or max((one.index for one in node.settled()), default=0)
    is_first = True
    while not node.is_closing():
        for one in node.settled_after(position, timeout_s=60):
            position = one.index
            line = json.dumps({"result": _shown(node, one)}).encode() + b"\n"
            yield line * (2 if is_first else 1)
            is_first = False


def _shown(node: SimulatedNode, one: Stored) -> dict[str, Any]:
    state = "SETTLED" if one.settled_us else "CANCELED" if node.is_expired(one) else "OPEN"
    return {
        "memo": one.description,
        "r_hash": b64encode(bytes.fromhex(one.payment_hash)).decode(),
        "value_msat": str(one.amount_msat or 0),
        "creation_date": str(one.created_us // 1_000_000),
        "expiry": str((one.expires_us - one.created_us) // 1_000_000),
        "settle_date": str((one.settled_us or 0) // 1_000_000),
        "payment_request": one.bolt11,
        "add_index": str(one.number),
        "settle_index": str(one.index),
        "amt_paid_msat": str(one.received_msat),
        "state": state,
    }


def _error(message: str, code: int, status: int) -> Answer:
    return Answer.json({"code": code, "message": message, "details": []}, status)
