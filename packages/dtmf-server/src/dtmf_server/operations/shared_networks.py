"""Networks from which several accounts requested deposit addresses that have no payment: a sign of one person with many
accounts. A network (/24 or /48) is stored only as a keyed hash, and only until an address is paid."""

from collections.abc import Sequence

from msgspec import Struct

from dtmf_server.storage import networks
from dtmf_server.storage.db import Tx

ACCOUNTS_MAX = 50  # listed of each network


class AccountOnNetwork(Struct, frozen=True):
    """An account that holds unpaid addresses requested from a network."""

    account_id: int
    unpaid_addresses: int
    balance: int  # as booked
    created_at_us: int


class SharedNetwork(Struct, frozen=True, kw_only=True):
    """A network, as a keyed hash, with its accounts, most unpaid addresses first; `account_count` counts all."""

    network: bytes
    account_count: int
    unpaid_addresses: int
    first_requested_at_us: int
    last_requested_at_us: int
    accounts: Sequence[AccountOnNetwork]


def shared(tx: Tx, *, accounts_min: int, limit: int) -> list[SharedNetwork]:
    """Return the networks with unpaid addresses of at least so many accounts, most unpaid addresses first."""
    return [
        SharedNetwork(
            network=bytes(row["network"]),
            account_count=row["accounts"],
            unpaid_addresses=row["addresses"],
            first_requested_at_us=row["first_at_us"],
            last_requested_at_us=row["last_at_us"],
            accounts=[
                AccountOnNetwork(each["account_id"], each["addresses"], each["balance"], each["created_at_us"])
                for each in networks.accounts_of(tx, bytes(row["network"]), limit=ACCOUNTS_MAX)
            ],
        )
        for row in networks.with_unpaid(tx, accounts_min=accounts_min, limit=limit)
    ]
