"""The single row about the chain: which chain, the result of the last poll of its node, and what to rescan."""

from dtmf_server.storage.db import Row, Tx


def load(tx: Tx) -> Row | None:
    """Return the row, or None if the service was never started with a chain."""
    return tx.one("SELECT network, descriptor, polled_at_us, node_height, last_error, rescan_height FROM chain_state")


def lock(tx: Tx) -> None:
    """Lock the row until the transaction ends: the owner and status of deposits change in one transaction at a time."""
    tx.lock_rows("SELECT id FROM chain_state")


def fix(tx: Tx, *, network: str, descriptor: str) -> Row:
    """Return the row, and insert it if there is none. Of several processes that start at the same time, the first
    inserts it and the others wait."""
    tx.run(
        "INSERT INTO chain_state (id, network, descriptor) VALUES (1, :network, :descriptor)"
        " ON CONFLICT (id) DO NOTHING",
        network=network,
        descriptor=descriptor,
    )
    row = load(tx)
    assert row is not None
    return row


def replace_descriptor(tx: Tx, descriptor: str) -> None:
    """Derive new addresses from this descriptor; those issued before are still watched."""
    tx.run("UPDATE chain_state SET descriptor = :descriptor", descriptor=descriptor)


def record_poll(tx: Tx, *, at_us: int, node_height: int | None, last_error: str | None) -> None:
    """Record a poll of the node. Keep the last known height if `node_height` is None."""
    tx.run(
        "UPDATE chain_state SET polled_at_us = :at_us, node_height = coalesce(:node_height, node_height),"
        " last_error = :last_error",
        at_us=at_us,
        node_height=node_height,
        last_error=last_error,
    )


def ask_rescan(tx: Tx, height: int) -> None:
    """Request that blocks be read again from that height on, replacing any earlier request."""
    tx.run("UPDATE chain_state SET rescan_height = :height", height=height)
    tx.notify("chain")


def rescanned(tx: Tx, height: int | None) -> None:
    """Set the next block to read again, or None if there is none."""
    tx.run("UPDATE chain_state SET rescan_height = :height", height=height)


# --- the chain as far as it was followed -------------------------------------------------------------------------


def tip(tx: Tx) -> Row | None:
    """Return the last block followed."""
    return tx.one("SELECT height, hash FROM chain_blocks ORDER BY height DESC LIMIT 1")


def block_hash(tx: Tx, height: int) -> str | None:
    """Return the hash of the block followed at that height, if it is still remembered."""
    row = tx.one("SELECT hash FROM chain_blocks WHERE height = :height", height=height)
    return str(row["hash"]) if row else None


def forget_blocks_above(tx: Tx, height: int) -> None:
    """Roll the cursor back."""
    tx.run("DELETE FROM chain_blocks WHERE height > :height", height=height)


def add_block(tx: Tx, *, height: int, hash_: str, keep: int) -> None:
    """Move the cursor to this block and remember the last `keep` blocks."""
    tx.run("INSERT INTO chain_blocks (height, hash) VALUES (:height, :hash)", height=height, hash=hash_)
    tx.run("DELETE FROM chain_blocks WHERE height <= :height", height=height - keep)
