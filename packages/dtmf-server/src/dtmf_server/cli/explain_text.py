"""What `dtmf-server deposits explain` says of a deposit."""

from dtmf_server.operations.explain_deposit import Explanation


def explanation_lines(found: Explanation) -> list[str]:
    """A sentence on each line: what it is, where it stands, what was booked, what is in the way."""
    said = [
        f"It pays {found.amount_sats} satoshis to {found.address}, index {found.descriptor_index} of the"
        f" descriptor, given to account {found.account_id}.",
        _standing(found),
    ]
    said += [f"Booked: {one.kind}, {one.amount_sats} satoshis, transfer {one.transfer_id}." for one in found.bookings]
    said += [
        f"Blocks {first} to {last} were never read: if its transaction was mined in one of them"
        " and its output spent since, this service cannot know."
        for first, last in found.never_read
    ]
    if found.trouble:
        said.append(f"Nothing is credited at the moment: {found.trouble}.")
    return said


def _standing(found: Explanation) -> str:
    at = found.confirmations
    where = f"in block {at.height}, {at.depth} deep" if at.depth else "in no block of the best chain"
    match found.status:
        case "credited":
            return f"It is credited: {where}."
        case "reversed":
            return f"It was credited and taken back: it is {where}. It is credited again at {at.needed} confirmations."
        case "gone":
            return "It is gone: its transaction is in no block and not in the node's mempool, replaced or dropped."
    if found.is_coinbase:
        return f"It is pending: {where}; coins of a miner need {at.needed} confirmations."
    if at.exposed_sats <= found.amount_sats:
        return f"It is pending: {where}; an amount like this needs {at.needed} confirmations."
    return (
        f"It is pending: {where}; {at.exposed_sats} satoshis of this account have fewer than {at.needed} confirmations,"
        f" and so many together need {at.needed}."
    )
