"""Compare our bought numbers with a provider's list, and store which of them only one side knows."""

from dtmf_server.core.number_supply import Event, State
from dtmf_server.operations.supply import move
from dtmf_server.storage import numbers, supply_numbers
from dtmf_server.storage.db import Tx


def compare(tx: Tx, carrier: str, owned: list[str]) -> tuple[list[str], list[str]]:
    """Return the numbers that only the provider has as ours, and those that only we have as bought. Numbers in our stock
    that were not bought here are not strangers, and an order in progress explains its number."""
    theirs, ours = set(owned), {row["e164"] for row in supply_numbers.paid_e164s(tx, carrier)}
    strangers = [
        e164
        for e164 in sorted(theirs - ours)
        if not numbers.exists(tx, e164) and supply_numbers.live_by_e164(tx, e164) is None
    ]
    return strangers, sorted(ours - theirs)


def store_comparison(tx: Tx, carrier: str, strangers: list[str], missing: list[str], *, now_us: int) -> None:
    """Store the differences for `doctor`. A missing number, of which the provider was asked again, leaves the stock unless it
    is rented."""
    rows = [(carrier, e164, False, now_us) for e164 in strangers] + [(carrier, e164, True, now_us) for e164 in missing]
    supply_numbers.put_differences(tx, carrier, rows)
    for e164 in missing:
        row = supply_numbers.live_by_e164(tx, e164)
        if row is not None and row["state"] == State.FREE and numbers.retire(tx, e164, now_us=now_us, cooldown_us=None):
            move(tx, row, Event.VANISH, now_us=now_us)
