"""What the database knows of one outpoint, in words for the operator."""

from dtmf_server.core.deposit_rules import ConfirmationTiers, confirmations, required
from dtmf_server.operations.deposit import exposed_of
from dtmf_server.storage import chain, deposits, transfers
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage.db import Row, Tx


def explain(tx: Tx, txid: str, vout: int, *, depths: ConfirmationTiers) -> list[str] | None:
    """Sentences about a deposit, None if it was never seen."""
    deposit = deposits.by_outpoint(tx, txid, vout)
    if deposit is None:
        return None
    tip = stored_chain.tip(tx)
    address = deposits.address_by_id(tx, deposit["address_id"])
    said = [
        f"It pays {deposit['amount']} satoshis to {address['address']}, index {address['descriptor_index']} of the"
        f" descriptor, given to account {deposit['account_id']}.",
        _standing(tx, deposit, tip["height"] if tip else 0, depths),
    ]
    said += [
        f"Booked: {row['kind']}, {row['amount']} satoshis, transfer {row['id']}."
        for row in transfers.of_reference(tx, deposit["account_id"], f"{txid}:{vout}")
    ]
    if deposit["status"] in ("gone", "pending") and deposit["height"] is None:
        said += [
            f"Blocks {row['from_height']} to {row['to_height']} were never read: if its transaction was mined in one of them"
            " and its output spent since, this service cannot know."
            for row in deposits.skipped(tx)
        ]
    state = chain.load(tx)
    if state is not None and state["last_error"]:
        said.append(f"Nothing is credited at the moment: {state['last_error']}.")
    return said


def _standing(tx: Tx, deposit: Row, tip_height: int, depths: ConfirmationTiers) -> str:
    depth = confirmations(deposit["height"], tip_height)
    below = exposed_of(tx, deposit["account_id"], depths=depths)
    needed = required(depths, below, depth, coinbase=deposit["coinbase"])
    where = f"in block {deposit['height']}, {depth} deep" if depth else "in no block of the best chain"
    match deposit["status"]:
        case "credited":
            return f"It is credited: {where}."
        case "reversed":
            return f"It was credited and taken back: it is {where}. It is credited again at {needed} confirmations."
        case "gone":
            return "It is gone: its transaction is in no block and not in the node's mempool, replaced or dropped."
    if deposit["coinbase"]:
        return f"It is pending: {where}; coins of a miner need {needed} confirmations."
    sats = dict(zip((rule[1] for rule in depths), below, strict=True)).get(needed, 0)
    if sats <= deposit["amount"]:
        return f"It is pending: {where}; an amount like this needs {needed} confirmations."
    return (
        f"It is pending: {where}; {sats} satoshis of this account have fewer than {needed} confirmations, and so many"
        f" together need {needed}."
    )
