"""Real Lightning nodes for all tests of this folder: two Electrum wallets with a channel, and an LNbits server."""

import time
from collections.abc import AsyncIterator, Iterator

import pytest

from dtmf_server.payments.lightning.electrum import Electrum, ElectrumSettings
from dtmf_server.payments.lightning.registry import LightningContext
from lightning_nodes.electrum_pair import LOGIN, ElectrumPair, from_environment


def context(network: str) -> LightningContext:
    """Return the context of a sandbox with the real time."""
    return LightningContext(is_sandbox=True, network=network, wall_us=lambda: time.time_ns() // 1000)


@pytest.fixture(scope="session")
def pair() -> Iterator[ElectrumPair]:
    """The wallets, which all tests share."""
    with from_environment() as started:
        print(f"the channel was usable {started.channel_after_s:.1f} s after it was opened")
        yield started


@pytest.fixture
async def electrum(pair: ElectrumPair) -> AsyncIterator[Electrum]:
    """The backend of the receiving wallet."""
    user, _, password = LOGIN.partition(":")
    settings = ElectrumSettings(
        kind="electrum", url=pair.receiver.url, user=user, password=password, allow_hot_wallet=True
    )
    node = Electrum(settings, context("regtest"))
    yield node
    await node.aclose()
