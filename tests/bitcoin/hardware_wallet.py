"""The operator's wallet, whose private keys the service never sees (BIP-84)."""

import secrets

from embit.bip32 import HDKey
from embit.descriptor.checksum import add_checksum
from embit.ec import PrivateKey
from embit.networks import NETWORKS

ACCOUNT = "m/84h/1h/0h"


class HardwareWallet:
    """Keys derived from a random seed, on regtest."""

    def __init__(self) -> None:
        root = HDKey.from_seed(secrets.token_bytes(32))
        self._account = root.derive(ACCOUNT)
        xpub = self._account.to_public().to_base58(version=NETWORKS["regtest"]["xpub"])
        self.descriptor = add_checksum(f"wpkh([{root.my_fingerprint.hex()}/{ACCOUNT[2:]}]{xpub}/0/*)")

    def key(self, index: int) -> PrivateKey:
        """Return the private key of a receiving address."""
        key = self._account.derive([0, index]).key
        return PrivateKey(key.secret, network=NETWORKS["regtest"])
