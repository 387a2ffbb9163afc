"""Verification of what counts against the limits of restricted tokens: recomputed from their rentals."""

from collections.abc import Iterator
from dataclasses import dataclass

from dtmf_server.storage import rentals, token_rentals, tokens
from dtmf_server.storage.db import Tx


@dataclass(frozen=True, slots=True)
class WrongTokenSums:
    """A token whose reserved and spent satoshis are not those of its rentals and its children's, or are above a limit."""

    token_id: int
    expected: tuple[int, int]
    stored: tuple[int, int]


def differences(tx: Tx) -> Iterator[WrongTokenSums]:
    """Compare what counts against each token's limits with what its rentals reserve and have cost."""
    parents = {row["id"]: row["parent_id"] for row in tokens.restricted(tx)}
    sums: dict[int, tuple[int, int]] = dict.fromkeys(parents, (0, 0))
    for row in token_rentals.all_reserved(tx):
        is_live = row["ended_at_us"] is None
        reserved = row["reserved_sats"] if is_live else 0
        spent = 0 if is_live else rentals.with_limits(row).spent(row["booked_minutes"]) - row["refunded"]
        for token_id in (row["token_id"], parents[row["token_id"]]):
            if token_id is not None:
                sums[token_id] = (sums[token_id][0] + reserved, sums[token_id][1] + spent)
    for row in tokens.restricted(tx):
        expected = (sums[row["id"]][0], sums[row["id"]][1] + row["adopted_sats"])
        stored = (row["reserved_sats"], row["spent_sats"])
        if stored != expected or (row["sats_max"] is not None and sum(stored) > row["sats_max"]):
            yield WrongTokenSums(row["id"], expected, stored)
