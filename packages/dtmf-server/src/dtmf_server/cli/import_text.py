"""Format what an import changes, and warnings about it."""

from dtmf_server.operations.import_catalog import Difference, PriceWarning
from dtmf_server.operations.price_jumps import PriceJump

SHOWN_MAX = 20
COIN_SATS = 100_000_000
_FREE = {
    "rental_cost_per_minute": "group {} costs 0 satoshis a minute: once rented, its numbers can be held without paying",
    "cost_per_inbound_message": "group {} receives SMS for 0 satoshis",
    "cost_per_segment": "prefix {!r} costs 0 satoshis a segment: accounts without a balance can send there",
}


def warning_text(warning: PriceWarning) -> str:
    """Return one line, which begins with the file and the line number."""
    if not warning.sats:
        return f"{warning.where}: {_FREE[warning.column].format(warning.key)}"
    coins = f"{warning.sats / COIN_SATS:g} bitcoin"
    return f"{warning.where}: {warning.column} is {warning.sats} satoshis, {coins}: is that intended?"


def free_lines(prices: list[PriceWarning]) -> list[str]:
    """Return why a file with prices of 0 was rejected, and how to import it."""
    return [*map(warning_text, prices), "if that is intended, import the file with --allow-free"]


def jump_text(jump: PriceJump) -> str:
    """Return one line about a price that changes by a large factor."""
    what = f"prefix {_key(jump.key)}" if jump.column == "cost_per_segment" else f"group {jump.key}"
    times = f"{jump.factor:.3g} times {'higher' if jump.after > jump.before else 'lower'}"
    return f"{what}: {jump.column} from {jump.before} to {jump.after} {jump.unit}, {times}"


def difference_lines(difference: Difference, *, is_dry_run: bool) -> list[str]:
    """Return what an import changed, or would change. The last line counts."""
    kind = difference.kind
    lines = []
    if is_dry_run:
        changes = [
            f"{_key(c.key)}: {c.column} from {c.before or 'empty'} to {c.after or 'empty'}" for c in difference.changed
        ]
        lines += _some("add", [_key(key) for key in difference.added]) + _some("change", changes)
    if difference.removes:
        lines += _some("remove" if is_dry_run else "removed", [_key(key) for key in difference.absent])
    elif difference.absent_count:
        fix = ": --replace removes them" if kind == "prices" else ""
        lines.append(f"{difference.absent_count} {kind} are not in the file and stay{fix}")
    changed = len({change.key for change in difference.changed})
    counts = f"{len(difference.added)} added, {changed} changed, {difference.unchanged} unchanged"
    if difference.removes:
        counts += f", {difference.absent_count} removed"
    if is_dry_run:
        return [*lines, f"dry run, nothing was imported: {counts}"]
    return [*lines, f"{difference.count} {kind} imported: {counts}"]


def _key(key: str) -> str:
    return key or "every other destination"


def _some(verb: str, items: list[str]) -> list[str]:
    more = [f"{verb} {len(items) - SHOWN_MAX} more"] if len(items) > SHOWN_MAX else []
    return [*(f"{verb} {item}" for item in items[:SHOWN_MAX]), *more]
