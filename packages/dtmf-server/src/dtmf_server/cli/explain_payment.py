"""`dtmf-server deposits explain`: whether a transaction, one output of it or a Lightning payment arrived, and its state."""

import asyncio
import json
import re

from dtmf_server.cli.answer_text import as_json
from dtmf_server.cli.deposit_commands import open_chain
from dtmf_server.cli.explain_text import explanation_lines, invoice_lines
from dtmf_server.cli.output import print_line
from dtmf_server.core.errors import CannotStart
from dtmf_server.operations import explain_deposit, explain_invoice
from dtmf_server.operations.explain_deposit import Explanation
from dtmf_server.payments.bitcoin.chain import ChainUnavailable
from dtmf_server.runtime.context import Runtime
from dtmf_server.workers.chain_follower import own_scripts

OUTPUTS_ASKED = 20  # of an unknown transaction; the node is asked for each
_OUTPOINT = re.compile(r"([0-9a-f]{64})(?::([0-9]{1,9}))?")


def explain(runtime: Runtime, what: str, *, json_: bool) -> int:
    """Print what is known of a transaction ID, an outpoint `txid:vout` or a payment hash; return 1 if nothing is. Raises
    CannotStart for anything else."""
    parts = _OUTPOINT.fullmatch(what.lower())
    if parts is None:
        raise CannotStart(
            f"{what!r} is not an outpoint: use the transaction ID, alone or with a colon and the output number,"
            " or a Lightning payment hash"
        )
    txid, vout = parts[1], None if parts[2] is None else int(parts[2])
    invoice = None if vout is not None else runtime.db.read_blocking(lambda tx: explain_invoice.explain(tx, txid))
    found = [] if invoice else _deposits(runtime, txid, vout)
    node = None
    if invoice is None and not found and runtime.settings.node is not None:
        node = _node_says(runtime, txid, vout)
    if json_:
        print_line(json.dumps({"deposits": as_json(found), "invoice": as_json(invoice), "node": node}))
    elif invoice is not None:
        print_line("\n".join(invoice_lines(invoice)))
    else:
        lines = [line for each in found for line in _lines(each, is_one=vout is not None)]
        print_line("\n".join(lines or [_unknown(vout), *([node] if node else [])]))
    return 0 if found or invoice else 1


def _deposits(runtime: Runtime, txid: str, vout: int | None) -> list[Explanation]:
    depths = runtime.settings.confirmations
    if vout is None:
        return runtime.db.read_blocking(lambda tx: explain_deposit.explain_transaction(tx, txid, depths=depths))
    found = runtime.db.read_blocking(lambda tx: explain_deposit.explain(tx, txid, vout, depths=depths))
    return [] if found is None else [found]


def _lines(found: Explanation, *, is_one: bool) -> list[str]:
    """Return the lines of a deposit; each of several begins with its outpoint."""
    lines = explanation_lines(found)
    return lines if is_one else [found.outpoint, *(f"  {line}" for line in lines)]


def _unknown(vout: int | None) -> str:
    if vout is not None:
        return "No deposit with this outpoint is known."
    return "No deposit of this transaction, and no invoice with this payment hash, is known."


def _node_says(runtime: Runtime, txid: str, vout: int | None) -> str:
    """Describe what the node knows of an outpoint, or of the first outputs of a transaction, not in the database."""

    async def ask() -> str:
        said = []
        async with open_chain(runtime) as chain:
            for nth in range(OUTPUTS_ASKED) if vout is None else [vout]:
                if (output := await chain.output(txid, nth)) is not None:
                    paid, depth = output
                    is_own = bool(await own_scripts(runtime, {paid.script_pubkey}))
                    said.append((nth, is_own, paid.amount, depth))
        own = [each for each in said if each[1]] or said
        if not own:
            which = "such unspent output" if vout is not None else f"unspent output 0 to {OUTPUTS_ASKED - 1} of it"
            return f"The node has no {which}, neither in a block nor in its mempool."
        nth, is_own, sats, depth = own[0]
        name = "it" if vout is not None else f"output {nth}"
        if not is_own:
            return f"The node has {name}: {sats} satoshis, {depth} confirmations, to an address of someone else."
        return (
            f"{name.capitalize()} pays {sats} satoshis to an address of this service with {depth} confirmations but is not"
            " recorded: check that the service is running and following the chain;"
            " `dtmf-server deposits rescan --from HEIGHT` reads its block again."
        )

    try:
        return asyncio.run(ask())
    except ChainUnavailable as error:
        return f"The node could not be queried: {error}."
