"""Each kind of simulated node with its credentials."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dtmf_server.payments.lightning.base import LightningNode
from support.lightning import cln, electrum, lnbits, lnd, phoenixd
from support.lightning.http_server import Answer, Received
from support.lightning.simulated_node import SimulatedNode


@dataclass(frozen=True)
class Shape:
    """A kind of node: how it answers, and the settings with credentials that can't spend, that can, and that are wrong."""

    answer: Callable[[SimulatedNode, Received], Answer]
    limited: dict[str, Any]
    full: dict[str, Any]
    wrong: dict[str, Any]


ELECTRUM = {"user": electrum.USER, "allow_hot_wallet": True}
SHAPES = {
    "cln": Shape(cln.answer, {"rune": cln.LIMITED}, {"rune": cln.rune()}, {"rune": cln.LIMITED[:36]}),
    "electrum": Shape(
        electrum.answer,
        ELECTRUM | {"password": electrum.PASSWORD},
        {"user": electrum.USER, "password": electrum.PASSWORD, "allow_hot_wallet": False},
        ELECTRUM | {"password": "wrong-password-Zq7"},
    ),
    "lnbits": Shape(
        lnbits.answer,
        {"invoice_key": lnbits.INVOICE_KEY},
        {"invoice_key": lnbits.ADMIN_KEY},
        {"invoice_key": "3" * 31 + "7"},
    ),
    "lnd": Shape(
        lnd.answer,
        {"macaroon": lnd.macaroon(*lnd.PERMISSIONS)},
        {"macaroon": lnd.macaroon(*lnd.PERMISSIONS, "offchain:write")},
        {"macaroon": "ab" * 40},
    ),
    "phoenixd": Shape(
        phoenixd.answer,
        {"password": phoenixd.LIMITED},
        {"password": phoenixd.FULL},
        {"password": "wrong-password-Zq7"},
    ),
}

Backend = Callable[..., LightningNode]
