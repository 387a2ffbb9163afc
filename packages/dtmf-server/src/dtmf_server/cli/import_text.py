"""Render what the operator should check in an imported file."""

from dtmf_server.operations.import_catalog import PriceWarning

COIN_SATS = 100_000_000
_FREE = {
    "rental_cost_per_minute": "group {} costs 0 satoshis a minute: its numbers, once rented, can be held without paying",
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
    """Explain why a file with prices of 0 was refused, and how to import it."""
    return [*map(warning_text, prices), "if that is intended, import the file with --allow-free"]
