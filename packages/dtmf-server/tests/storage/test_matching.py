"""However many values are looked up at once, each row is found once, and nothing else is."""

import pytest

from dtmf_server.storage import deposits, schema
from dtmf_server.storage.db import Database
from dtmf_server.storage.sqlite.dialect import MATCHED_AT_ONCE
from harness import START_US, open_account

COLUMNS = ("id", "account_id", "descriptor_index", "address", "script_pubkey", "created_at_us", "used")
OURS = 2 * MATCHED_AT_ONCE + 1


def script(n: int, *, ours: bool = True) -> bytes:
    """Return a unique scriptPubKey."""
    return b"\x00\x14" + n.to_bytes(19, "big") + bytes([ours])


@pytest.mark.parametrize("asked", [0, 1, 2, 3, MATCHED_AT_ONCE - 1, MATCHED_AT_ONCE, MATCHED_AT_ONCE + 1, OURS])
def test_each_is_found_once(db: Database, asked: int) -> None:
    account = open_account(db)
    rows = [(n + 1, account, n, f"address {n}", script(n), START_US, False) for n in range(OURS)]
    db.write_blocking(lambda tx: tx.insert(schema.addresses, COLUMNS, rows))
    scripts = [script(n, ours=ours) for n in range(asked) for ours in (True, False)]
    found = db.read_blocking(lambda tx: tx.select_in(schema.addresses, "script_pubkey", scripts))
    assert sorted(row["id"] for row in found) == list(range(1, asked + 1))
    assert set(db.read_blocking(lambda tx: deposits.owners(tx, scripts))) == {script(n) for n in range(asked)}
