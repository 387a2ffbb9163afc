"""Values in the replies of Lightning nodes, checked: hashes, amounts, times and invoices. All raise ValueError."""

import re
from typing import Any

from dtmf_server.core.money import SATS_MAX
from dtmf_server.payments.lightning.base import NodeUnavailable

MSAT = 1000  # per satoshi
SECOND_US, MS_US = 1_000_000, 1000

# BOLT 11: the prefix of an invoice names the network; an amount may follow.
_human_readable = re.compile(r"ln(bcrt|tbs|bc|tb)([0-9]+[munp]?)?\Z").match
_NETWORKS = {"bc": ["main"], "tb": ["test", "testnet4"], "tbs": ["signet"], "bcrt": ["regtest"]}
_NODE_NETWORKS = {
    "mainnet": "main",
    "bitcoin": "main",
    "testnet": "test",
    "testnet3": "test",
}
_is_hash = re.compile(r"[0-9a-f]{64}\Z").match


def payment_hash(value: Any) -> str:
    """Return a payment hash as 64 lower-case hexadecimal digits."""
    text = str(value).lower()
    if not _is_hash(text):
        raise ValueError("not a payment hash")
    return text


def msat(value: Any) -> int:
    """Return an amount in msat: a number, its digits, or, as older nodes write it, digits and `msat`."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("not an amount")
    amount = int(value.removesuffix("msat")) if isinstance(value, str) else value
    if not 0 <= amount <= SATS_MAX * MSAT:
        raise ValueError("an amount out of range")
    return amount


def whole_sats(amount_msat: int) -> int | None:
    """Return an amount in satoshis, None if it is not a whole number of them."""
    return None if amount_msat % MSAT else amount_msat // MSAT


def network(value: Any) -> str:
    """Return a network as `bitcoin.network` spells it."""
    return _NODE_NETWORKS.get(str(value), str(value))


def networks_of(bolt11: str) -> list[str]:
    """Return the networks on which an invoice can be paid."""
    found = _human_readable(bolt11.lower().rpartition("1")[0])
    if not found:
        raise ValueError("not a BOLT 11 invoice")
    return _NETWORKS[found[1]]


def invoice(bolt11: Any, expected_network: str) -> str:
    """Return an invoice. Raises NodeUnavailable if it is one of another network."""
    networks = networks_of(str(bolt11))
    if expected_network not in networks:
        raise NodeUnavailable(
            f"the node creates invoices of the network {networks[0]!r}, but bitcoin.network is {expected_network!r}",
            may_exist=True,
        )
    return str(bolt11)
