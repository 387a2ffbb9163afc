"""The sandbox's own chain, in tables: what a Bitcoin node would report."""

from dtmf_server.storage.db import Row, Tx


def tip(tx: Tx) -> Row | None:
    """Return the newest block."""
    return tx.one("SELECT height, hash FROM simulated_blocks ORDER BY height DESC LIMIT 1")


def block_hash(tx: Tx, height: int) -> str | None:
    """Return the hash of the block at that height."""
    row = tx.one("SELECT hash FROM simulated_blocks WHERE height = :height", height=height)
    return str(row["hash"]) if row else None


def outputs(tx: Tx, height: int | None) -> list[Row]:
    """Return the outputs of a block, or of the mempool."""
    if height is None:
        return tx.all("SELECT txid, script_pubkey, amount FROM simulated_outputs WHERE height IS NULL ORDER BY txid")
    return tx.all(
        "SELECT txid, script_pubkey, amount FROM simulated_outputs WHERE height = :height ORDER BY txid",
        height=height,
    )


def add_output(tx: Tx, *, txid: str, script_pubkey: bytes, amount: int) -> None:
    """Broadcast a transaction with one output."""
    tx.run(
        "INSERT INTO simulated_outputs (txid, script_pubkey, amount) VALUES (:txid, :script_pubkey, :amount)",
        txid=txid,
        script_pubkey=script_pubkey,
        amount=amount,
    )
    tx.notify("chain")


def shallow_of(tx: Tx, account_id: int, *, above: int) -> list[Row]:
    """Return amount and height of payments to the account's addresses in the mempool, or in a block above that
    height."""
    return tx.all(
        "SELECT o.amount, o.height FROM simulated_outputs o JOIN addresses a ON a.script_pubkey = o.script_pubkey"
        " WHERE a.account_id = :account_id AND (o.height IS NULL OR o.height > :above)",
        account_id=account_id,
        above=above,
    )


def count_outputs(tx: Tx) -> int:
    """Return the number of transactions ever broadcast."""
    row = tx.one("SELECT count(*) AS n FROM simulated_outputs")
    assert row is not None
    return int(row["n"])


def add_block(tx: Tx, *, height: int, hash_: str) -> None:
    """Mine a block with everything in the mempool."""
    tx.run("INSERT INTO simulated_blocks (height, hash) VALUES (:height, :hash)", height=height, hash=hash_)
    tx.run("UPDATE simulated_outputs SET height = :height WHERE height IS NULL", height=height)
    tx.notify("chain")
