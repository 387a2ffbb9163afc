"""Addresses from a public descriptor (BIP-380), by embit. Private keys never come here."""

from collections.abc import Callable
from functools import lru_cache

from embit.descriptor import Descriptor
from embit.networks import NETWORKS

# Public keys whose private half was thrown away: coins sent there, on any network, are nobody's.
SANDBOX_DESCRIPTOR = (
    "wpkh([9d873d58/84h/1h/0h]tpubDC7WhN57y8FrKEwd7rn2t67hcRLp9ua1RsQXqt7F8oa4vJcBYBhGjEtCKDDafGwfHFH2ptfaST93"
    "L2iqEnLSq4c6FKnxKyzKogahT1Pq1ro/0/*)"
)
_NETWORKS = {"main": "main", "test": "test", "signet": "signet", "regtest": "regtest"}


def deriver(descriptor: str, network: str) -> Callable[[int], tuple[str, bytes]]:
    """A function from an index to its address and scriptPubKey. Raises ValueError for what can't be watched."""
    parsed = Descriptor.from_string(descriptor.partition("#")[0])
    if any(key.is_private for key in parsed.keys):
        raise ValueError("the descriptor has a private key: give only public keys to the service")
    if not parsed.is_wildcard:
        raise ValueError("the descriptor has no /* at its end: everyone would get the same address")
    parameters = NETWORKS[_NETWORKS[network]]

    @lru_cache(maxsize=1024)
    def derive(index: int) -> tuple[str, bytes]:
        derived = parsed.derive(index)
        return derived.address(parameters), derived.script_pubkey().data

    return derive
