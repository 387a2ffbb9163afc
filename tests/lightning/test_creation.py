"""Whether an invoice is created depends on what the node's credentials can do, also if it was down when the service started."""

from dataclasses import replace

import pytest

from dtmf_server.core.errors import LightningUnavailable
from dtmf_server.payments.lightning import registry
from dtmf_server.payments.lightning.registry import LightningContext
from dtmf_server.server.lightning import NodeInvoices
from lightning.conftest import Account
from support.lightning.shapes import SHAPES
from support.lightning.simulated_node import SimulatedNode


def configured(account: Account, kind: str, simulated: SimulatedNode, credentials: dict[str, object]) -> NodeInvoices:
    """Give the account's service this node, as after a start at which the node was down."""
    found = registry.find(kind)
    settings = found.settings(kind=kind, url=simulated.server.url, **credentials)
    context = LightningContext(is_sandbox=True, network="regtest", wall_us=simulated.wall_us)
    before = account.runtime.invoices
    assert isinstance(before, NodeInvoices)
    account.runtime.invoices = replace(before, node=found.build(settings, context))
    return account.runtime.invoices


@pytest.mark.parametrize("kind", sorted(SHAPES))
async def test_no_invoice_is_created_with_credentials_that_can_spend(account: Account, kind: str) -> None:
    with SimulatedNode(SHAPES[kind].answer) as simulated:
        node = configured(account, kind, simulated, SHAPES[kind].full).node
        for _ in range(2):
            with pytest.raises(LightningUnavailable):
                await account.invoice()
        assert simulated.invoices == {}
        await node.aclose()


@pytest.mark.parametrize("kind", sorted(SHAPES))
async def test_the_credentials_are_checked_once_the_node_is_reached(account: Account, kind: str) -> None:
    with SimulatedNode(SHAPES[kind].answer) as simulated:
        node = configured(account, kind, simulated, SHAPES[kind].limited).node
        with simulated.failing("closed"), pytest.raises(LightningUnavailable):
            await account.invoice()
        assert simulated.invoices == {}
        assert (await account.invoice())["payment_hash"] in simulated.invoices
        asked = len(simulated.server.received)
        await account.invoice()
        assert len(simulated.server.received) <= asked + 2, "the second invoice needs no check"
        await node.aclose()
