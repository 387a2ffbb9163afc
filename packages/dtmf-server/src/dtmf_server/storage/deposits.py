"""Deposit addresses, the outputs that paid them, and the blocks that were never read."""

from collections.abc import Iterable

from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx

_WITH_ADDRESS = "SELECT d.*, a.address FROM deposits d JOIN addresses a ON a.id = d.address_id"


def addresses_of(tx: Tx, account_id: int) -> list[Row]:
    """Return every address issued to the account, oldest first."""
    return tx.all("SELECT address FROM addresses WHERE account_id = :account_id ORDER BY id", account_id=account_id)


def newest_address(tx: Tx, account_id: int) -> Row | None:
    """Return the last address issued to the account, and whether it has received anything."""
    return tx.one(
        "SELECT address, used FROM addresses WHERE account_id = :account_id ORDER BY id DESC LIMIT 1",
        account_id=account_id,
    )


def newest_of_account(tx: Tx, account_id: int, *, limit: int) -> list[Row]:
    """Return the account's last deposits, newest first."""
    return tx.all(
        "SELECT d.txid, d.vout, a.address, d.amount, d.height, d.status, d.seen_at_us, d.coinbase FROM deposits d"
        " JOIN addresses a ON a.id = d.address_id WHERE d.account_id = :account_id ORDER BY d.id DESC LIMIT :limit",
        account_id=account_id,
        limit=limit,
    )


def accounts_of_txid(tx: Tx, txid: str, *, limit: int) -> list[int]:
    """Return the IDs of the accounts that a transaction paid."""
    rows = tx.all(
        "SELECT DISTINCT account_id FROM deposits WHERE txid = :txid ORDER BY account_id LIMIT :limit",
        txid=txid,
        limit=limit,
    )
    return [row["account_id"] for row in rows]


def networks_of(tx: Tx, account_id: int) -> list[bytes]:
    """Return the keyed hashes of the networks that requested the account's addresses which have received nothing."""
    rows = tx.all(
        "SELECT DISTINCT network FROM addresses WHERE account_id = :account_id AND NOT used AND network IS NOT NULL",
        account_id=account_id,
    )
    return sorted(bytes(row["network"]) for row in rows)


def accounts_of_network(tx: Tx, network: bytes, *, after: int, limit: int) -> list[int]:
    """Return the IDs above `after` of accounts that have unpaid addresses requested from this network."""
    rows = tx.all(
        "SELECT DISTINCT account_id FROM addresses WHERE network = :network AND account_id > :after"
        " ORDER BY account_id LIMIT :limit",
        network=network,
        after=after,
        limit=limit,
    )
    return [row["account_id"] for row in rows]


def any_address(tx: Tx) -> bool:
    """Return True if any address was ever issued."""
    return tx.one("SELECT id FROM addresses LIMIT 1") is not None


def any_address_but_of(tx: Tx, account_id: int) -> bool:
    """Return True if any address was issued to another account than this one."""
    return tx.one("SELECT id FROM addresses WHERE account_id <> :id LIMIT 1", id=account_id) is not None


def of_network(tx: Tx, network: bytes) -> Row:
    """Return how many addresses issued to callers of that network have received nothing (`unused`), and how many have
    no confirmed payment (`unmined`)."""
    row = tx.one(
        "SELECT count(*) AS unmined, coalesce(sum(CASE WHEN used THEN 0 ELSE 1 END), 0) AS unused FROM addresses"
        " WHERE network = :network",
        network=network,
    )
    assert row is not None
    return row


def gap(tx: Tx) -> Row:
    """Return the highest index issued (`last`), the highest index paid (`paid`), each 0 if there is none, and the
    number of unpaid addresses (`unpaid`)."""
    row = tx.one(
        "SELECT (SELECT coalesce(max(descriptor_index), 0) FROM addresses) AS last,"
        " (SELECT coalesce(max(descriptor_index), 0) FROM addresses WHERE used) AS paid,"
        " (SELECT count(*) FROM addresses WHERE NOT used) AS unpaid"
    )
    assert row is not None
    return row


def next_index(tx: Tx, account_id: int, *, unused_max: int, unmined_max: int) -> Row:
    """Return the descriptor's next index (`next_index`), reserved for this transaction. It is None if the account may
    not have another address: either no block of a real chain was followed yet (`is_followed`), or too many of its
    addresses have received nothing, or only payments that may still be replaced."""
    row = tx.one(
        "SELECT is_followed, CASE WHEN is_followed AND unused < :unused_max AND unused + waiting < :unmined_max"
        "  THEN nextval('addresses_id_seq') END AS next_index"
        " FROM (SELECT NOT EXISTS (SELECT 1 FROM chain_state WHERE network <> 'simulated')"
        "  OR EXISTS (SELECT 1 FROM chain_blocks) AS is_followed, (SELECT count(*) FROM addresses"
        "  WHERE account_id = :account_id AND NOT used) AS unused, (SELECT count(DISTINCT address_id) FROM deposits"
        "  WHERE account_id = :account_id AND status = 'pending' AND height IS NULL) AS waiting) AS standing",
        account_id=account_id,
        unused_max=unused_max,
        unmined_max=unmined_max,
    )
    assert row is not None
    return row


def add_address(
    tx: Tx,
    *,
    account_id: int,
    descriptor_index: int,
    address: str,
    script_pubkey: bytes,
    now_us: int,
    network: bytes | None = None,
) -> None:
    """Issue an address to an account. `network` represents the caller's network until the address is paid."""
    tx.run(
        "INSERT INTO addresses (id, account_id, descriptor_index, address, script_pubkey, created_at_us, used, network)"
        " VALUES (:index, :account_id, :index, :address, :script_pubkey, :now_us, :used, :network)",
        index=descriptor_index,
        account_id=account_id,
        address=address,
        script_pubkey=script_pubkey,
        now_us=now_us,
        used=False,
        network=network,
    )
    tx.note("addresses", [descriptor_index])


def address(tx: Tx, address: str) -> Row | None:
    """Return one of our addresses."""
    return tx.one("SELECT id, account_id, script_pubkey FROM addresses WHERE address = :address", address=address)


def ids_of(tx: Tx, account_id: int) -> list[int]:
    """Return the IDs of the account's addresses."""
    rows = tx.all("SELECT id FROM addresses WHERE account_id = :account_id ORDER BY id", account_id=account_id)
    return [row["id"] for row in rows]


def address_by_id(tx: Tx, address_id: int) -> Row:
    """Return one of our addresses."""
    row = tx.one("SELECT address, descriptor_index FROM addresses WHERE id = :id", id=address_id)
    assert row is not None
    return row


def last_used_index(tx: Tx) -> int:
    """Return the highest index whose address has received something, or 0."""
    row = tx.one("SELECT max(descriptor_index) AS last FROM addresses WHERE used")
    assert row is not None
    return int(row["last"] or 0)


def last_index(tx: Tx) -> int:
    """Return the highest index issued, or 0."""
    row = tx.one("SELECT max(descriptor_index) AS last FROM addresses")
    assert row is not None
    return int(row["last"] or 0)


def all_deposits(tx: Tx, *, after: int, limit: int, account_id: int | None = None) -> list[Row]:
    """Return deposits of all accounts, or of one, with IDs above `after`, oldest first."""
    return tx.all(
        f"{_WITH_ADDRESS} WHERE d.id > :after AND coalesce(:account_id, d.account_id) = d.account_id"
        " ORDER BY d.id LIMIT :limit",
        after=after,
        limit=limit,
        account_id=account_id,
    )


def owners(tx: Tx, script_pubkeys: Iterable[bytes]) -> dict[bytes, Row]:
    """Return the owners of these scripts; scripts that are not ours are left out."""
    rows = tx.select_in(schema.addresses, "script_pubkey", sorted(set(script_pubkeys)))
    return {bytes(row["script_pubkey"]): row for row in rows}


def mark_used(tx: Tx, address_id: int, *, mined: bool) -> None:
    """Mark the address as paid; once the payment is in a block, forget the network it was issued to."""
    network = "NULL" if mined else "network"
    tx.run(
        f"UPDATE addresses SET used = :used, network = {network} WHERE id = :address_id",
        address_id=address_id,
        used=True,
    )


def mark_unused(tx: Tx, address_id: int) -> None:
    """Record that a payment to the address is gone: unless there was another one, the address is unpaid again."""
    tx.run(
        "UPDATE addresses SET used = :used WHERE id = :address_id AND NOT EXISTS"
        " (SELECT 1 FROM deposits WHERE address_id = :address_id AND status <> 'gone')",
        address_id=address_id,
        used=False,
    )


def of_address(tx: Tx, address_id: int, account_id: int) -> list[Row]:
    """Return the deposits to an address that belong to the account, oldest first."""
    return tx.all(
        f"{_WITH_ADDRESS} WHERE d.address_id = :id AND d.account_id = :account_id ORDER BY d.id",
        id=address_id,
        account_id=account_id,
    )


def move_address(tx: Tx, address_id: int, account_id: int, *, deposits_of: int) -> None:
    """Assign an address to another account, with those of its deposits that belong to `deposits_of`."""
    tx.run("UPDATE addresses SET account_id = :account_id WHERE id = :id", id=address_id, account_id=account_id)
    tx.run(
        "UPDATE deposits SET account_id = :account_id WHERE address_id = :id AND account_id = :before",
        id=address_id,
        account_id=account_id,
        before=deposits_of,
    )


def move_deposit(tx: Tx, deposit_id: int, account_id: int) -> None:
    """Assign a deposit to another account."""
    tx.run("UPDATE deposits SET account_id = :account_id WHERE id = :id", id=deposit_id, account_id=account_id)


def deposits_of(tx: Tx, account_id: int) -> list[Row]:
    """Return the account's deposits, including pending ones, oldest first."""
    return tx.all(
        "SELECT d.txid, d.vout, a.address, d.amount, d.height, d.status FROM deposits d"
        " JOIN addresses a ON a.id = d.address_id WHERE d.account_id = :account_id ORDER BY d.id",
        account_id=account_id,
    )


def by_outpoint(tx: Tx, txid: str, vout: int) -> Row | None:
    """Return one deposit."""
    return tx.one("SELECT * FROM deposits WHERE txid = :txid AND vout = :vout", txid=txid, vout=vout)


def of_txid(tx: Tx, txid: str, *, limit: int) -> list[Row]:
    """Return the deposits of a transaction, in the order of its outputs."""
    return tx.all("SELECT * FROM deposits WHERE txid = :txid ORDER BY vout LIMIT :limit", txid=txid, limit=limit)


def add(
    tx: Tx,
    *,
    txid: str,
    vout: int,
    owner: Row,
    amount: int,
    height: int | None,
    coinbase: bool,
    now_us: int,
) -> None:
    """Record an output that pays one of our addresses."""
    tx.run(
        "INSERT INTO deposits"
        " (txid, vout, account_id, address_id, amount, seen_at_us, height, status, alternations, coinbase) VALUES"
        " (:txid, :vout, :account_id, :address_id, :amount, :now_us, :height, 'pending', 0, :coinbase)",
        txid=txid,
        vout=vout,
        account_id=owner["account_id"],
        address_id=owner["id"],
        amount=amount,
        now_us=now_us,
        height=height,
        coinbase=coinbase,
    )


def set_height(tx: Tx, deposit_id: int, height: int | None) -> None:
    """Set the height of the best chain's block that contains the output, or None."""
    tx.run("UPDATE deposits SET height = :height WHERE id = :id", id=deposit_id, height=height)


def set_status(tx: Tx, deposit_id: int, *, status: str, alternations: int) -> None:
    """Set the status of a deposit; `alternations` counts its credits and reversals."""
    tx.run(
        "UPDATE deposits SET status = :status, alternations = :alternations WHERE id = :id",
        id=deposit_id,
        status=status,
        alternations=alternations,
    )


def unsettled(tx: Tx) -> list[Row]:
    """Return deposits whose status may have to change: pending ones, credited ones in no block, gone and reversed ones
    in a block. Those to be reversed come first."""
    return tx.all(
        f"{_WITH_ADDRESS} WHERE d.status = 'pending' OR (d.status = 'credited') = (d.height IS NULL)"
        " ORDER BY d.status <> 'credited', d.id"
    )


def mined_above(tx: Tx, height: int) -> list[Row]:
    """Return account, amount and height of the deposits in blocks above that height."""
    return tx.all("SELECT account_id, amount, height FROM deposits WHERE height > :height", height=height)


def shallow_of(tx: Tx, account_id: int, *, above: int) -> list[Row]:
    """Return amount and height of the account's deposits in the mempool, or in a block above that height."""
    return tx.all(
        "SELECT amount, height FROM deposits WHERE account_id = :account_id"
        " AND (height > :above OR (height IS NULL AND status = 'pending'))",
        account_id=account_id,
        above=above,
    )


def unmine_above(tx: Tx, height: int) -> None:
    """Record that the blocks above that height are no longer on the best chain."""
    tx.run("UPDATE deposits SET height = NULL WHERE height > :height", height=height)


def unmine_uncredited_above(tx: Tx, height: int) -> None:
    """Record that nothing is known of the blocks above that height; what was credited from them stays credited."""
    tx.run("UPDATE deposits SET height = NULL WHERE height > :height AND status <> 'credited'", height=height)


def unmined_or_above(tx: Tx, height: int) -> list[Row]:
    """Return deposits that are unconfirmed, or in a block above that height, except those that are gone."""
    return tx.all(
        f"{_WITH_ADDRESS} WHERE (d.status = 'pending' AND d.height IS NULL) OR d.height > :height ORDER BY d.id",
        height=height,
    )


def add_skipped(tx: Tx, *, from_height: int, to_height: int, found: int, found_sats: int, now_us: int) -> None:
    """Record blocks that were never read, and the payments found in them."""
    tx.run(
        "INSERT INTO skipped_blocks (from_height, to_height, at_us, found, found_sats)"
        " VALUES (:from_height, :to_height, :now_us, :found, :found_sats)",
        from_height=from_height,
        to_height=to_height,
        found=found,
        found_sats=found_sats,
        now_us=now_us,
    )


def skipped(tx: Tx) -> list[Row]:
    """Return the ranges of blocks that were never read, oldest first."""
    return tx.all("SELECT from_height, to_height, at_us, found, found_sats FROM skipped_blocks ORDER BY id")


def lowest_block(tx: Tx) -> int:
    """Return the lowest block that is remembered."""
    row = tx.one("SELECT min(height) AS height FROM chain_blocks")
    assert row is not None
    return int(row["height"])


def scripts(tx: Tx, *, after: int, limit: int) -> list[Row]:
    """Return the scripts of addresses with IDs above `after`, in order."""
    return tx.all(
        "SELECT id, script_pubkey FROM addresses WHERE id > :after ORDER BY id LIMIT :limit", after=after, limit=limit
    )
