"""The one row about the chain: which it is, how the last look at its node went, what is to be read again."""

from dtmf_server.storage.db import Row, Tx


def load(tx: Tx) -> Row | None:
    """The row, None before the service first started with a chain."""
    return tx.one("SELECT network, descriptor, polled_at_us, node_height, last_error, rescan_height FROM chain_state")


def lock(tx: Tx) -> None:
    """Lock the row until the transaction ends: whose a deposit is and how it stands changes in one place at a time."""
    tx.lock_rows("SELECT id FROM chain_state")


def fix(tx: Tx, *, network: str, descriptor: str) -> Row:
    """The row, made if there was none: of several processes that start at once the others wait here for the first."""
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
    """New addresses come from this one; those given before are watched all the same."""
    tx.run("UPDATE chain_state SET descriptor = :descriptor", descriptor=descriptor)


def record_poll(tx: Tx, *, at_us: int, node_height: int | None, last_error: str | None) -> None:
    """Notes how a look at the node went; its height stays what it was where it is not known."""
    tx.run(
        "UPDATE chain_state SET polled_at_us = :at_us, node_height = coalesce(:node_height, node_height),"
        " last_error = :last_error",
        at_us=at_us,
        node_height=node_height,
        last_error=last_error,
    )


def ask_rescan(tx: Tx, height: int) -> None:
    """Blocks from that height on are to be read again, whatever was asked for before."""
    tx.run("UPDATE chain_state SET rescan_height = :height", height=height)
    tx.notify("chain")


def rescanned(tx: Tx, height: int | None) -> None:
    """The next block to read again, None when there is none."""
    tx.run("UPDATE chain_state SET rescan_height = :height", height=height)


# --- the chain as far as it was followed -------------------------------------------------------------------------


def tip(tx: Tx) -> Row | None:
    """The last block followed."""
    return tx.one("SELECT height, hash FROM chain_blocks ORDER BY height DESC LIMIT 1")


def block_hash(tx: Tx, height: int) -> str | None:
    """The block followed at that height, if it is still remembered."""
    row = tx.one("SELECT hash FROM chain_blocks WHERE height = :height", height=height)
    return str(row["hash"]) if row else None


def forget_blocks_above(tx: Tx, height: int) -> None:
    """Rolls the cursor back."""
    tx.run("DELETE FROM chain_blocks WHERE height > :height", height=height)


def add_block(tx: Tx, *, height: int, hash_: str, keep: int) -> None:
    """Moves the cursor to this block and remembers the last `keep`."""
    tx.run("INSERT INTO chain_blocks (height, hash) VALUES (:height, :hash)", height=height, hash=hash_)
    tx.run("DELETE FROM chain_blocks WHERE height <= :height", height=height - keep)
