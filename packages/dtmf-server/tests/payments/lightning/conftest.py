"""Each kind of simulated node, with the backend that uses it."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from dtmf_server.payments.lightning import registry
from dtmf_server.payments.lightning.base import LightningNode, NodeInvoice
from dtmf_server.payments.lightning.registry import LightningContext
from support.lightning.conformance import Peer
from support.lightning.shapes import SHAPES, Backend, Shape
from support.lightning.simulated_node import CAPACITY_MSAT, SimulatedNode


@pytest.fixture(params=sorted(SHAPES))
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a kind."""
    return str(request.param)


@pytest.fixture
def shape(kind: str) -> Shape:
    """The shape of a kind."""
    return SHAPES[kind]


@pytest.fixture
def simulated(shape: Shape) -> Iterator[SimulatedNode]:
    """A running simulated node."""
    with SimulatedNode(shape.answer) as node:
        yield node


@pytest.fixture
async def backend(kind: str, shape: Shape, simulated: SimulatedNode) -> Any:
    """Build the backend of the node, with the limited credentials unless settings replace them."""
    built: list[LightningNode] = []

    def build(**settings: Any) -> LightningNode:
        found = registry.find(kind)
        own = shape.limited | {"url": simulated.server.url} | settings
        context = LightningContext(is_sandbox=True, network="regtest", wall_us=simulated.wall_us)
        built.append(found.build(found.settings(kind=kind, **own), context))
        return built[-1]

    yield build
    for node in built:
        await node.aclose()


@pytest.fixture
def peer(kind: str, backend: Backend, simulated: SimulatedNode) -> Peer:
    """A backend with a payer."""

    async def pay(invoice: NodeInvoice, msat: int) -> None:
        await asyncio.to_thread(partial(simulated.pay, invoice.payment_hash, msat=msat))

    async def expire(invoice: NodeInvoice) -> None:
        simulated.now_us = invoice.expires_us + 1_000_000

    return Peer(backend(), "regtest", pay, expire, beyond_msat=CAPACITY_MSAT + 1000, has_amountless=kind != "lnbits")
