"""The output of `dtmf-server deposits explain`."""

from dtmf_server.core.timestamps import iso
from dtmf_server.operations.explain_deposit import Explanation
from dtmf_server.operations.explain_invoice import InvoiceExplanation


def explanation_lines(found: Explanation) -> list[str]:
    """Return one sentence per line: what the deposit is, its status, what was booked, and what blocks it."""
    said = [
        f"It pays {found.amount_sats} satoshis to {found.address}, index {found.descriptor_index} of the"
        f" descriptor, issued to account {found.account_id}.",
        _standing(found),
    ]
    said += [f"Booked: {one.kind}, {one.amount_sats} satoshis, transfer {one.transfer_id}." for one in found.bookings]
    said += [
        f"Blocks {first} to {last} were never read: this service cannot know whether its transaction was"
        " mined in one of them and its output spent since."
        for first, last in found.never_read
    ]
    if found.trouble:
        said.append(f"Nothing is being credited: {found.trouble}.")
    return said


def _standing(found: Explanation) -> str:
    at = found.confirmations
    where = f"in block {at.height}, {at.depth} deep" if at.depth else "in no block of the best chain"
    match found.status:
        case "credited":
            return f"It is credited: {where}."
        case "reversed":
            return (
                f"It was credited and reversed: it is {where}. It will be credited again at {at.needed} confirmations."
            )
        case "gone":
            return "It is gone: its transaction is neither in a block nor in the node's mempool; it was replaced or dropped."
    if found.is_coinbase:
        return f"It is pending: {where}; newly mined coins need {at.needed} confirmations."
    if at.exposed_sats <= found.amount_sats:
        return f"It is pending: {where}; an amount like this needs {at.needed} confirmations."
    return (
        f"It is pending: {where}; {at.exposed_sats} satoshis of this account have fewer than {at.needed} confirmations,"
        f" and that total needs {at.needed}."
    )


def invoice_lines(found: InvoiceExplanation) -> list[str]:
    """Return one sentence per line: what the invoice is, its status, what was booked, and what blocks it."""
    amount = "any amount" if found.amount_sats is None else f"{found.amount_sats} satoshis"
    said = [f"It is invoice {found.invoice_id} of account {found.account_id} for {amount}, at the node {found.node}."]
    if found.state == "settled":
        said.append(
            f"It is settled: the node received {found.received_msat} msat after a fee of {found.fee_msat} msat, and"
            f" {found.credited_sats} satoshis are credited."
        )
    else:
        said.append(f"It is {found.state}: the node has not reported a payment.")
        if found.look_up_at_us is not None:
            said.append(f"The node is asked for it again at {iso(found.look_up_at_us)}.")
        if found.trouble:
            said.append(f"Nothing is being credited: {found.trouble}.")
    said += [f"Booked: {one.kind}, {one.amount_sats} satoshis, transfer {one.transfer_id}." for one in found.bookings]
    return said
