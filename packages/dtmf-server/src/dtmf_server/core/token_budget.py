"""The sums that count against a restricted token's limits in satoshis.

Rules (docs/guides/tokens.md#limits-in-satoshis):
1. A rental reserves the most that it may cost when it starts, and returns the rest when it ends. So a token
   never costs more than `sats_max`, however late minutes are booked.
2. A reservation counts on each UTC day on which the rental is live. So no day costs more than
   `sats_per_day`.
3. The rest also returns to the day of the end. A refund returns to `sats_max` only.

Then `day_sats` is never less than `reserved`. Pure; amounts are satoshis.
"""

from dataclasses import dataclass

from dtmf_server.core.units import DAY_US


@dataclass(slots=True)
class TokenBudget:
    """The limits of one token and what counts against them; None: no limit. `day` is the UTC day of `day_sats`, in days
    since 1970."""

    token_id: int
    sats_max: int | None
    sats_per_day: int | None
    reserved: int
    spent: int
    day: int
    day_sats: int

    def begin_day(self, now_us: int) -> None:
        """Count what is reserved against the day of `now_us`, if that has not been done yet."""
        if (day := now_us // DAY_US) > self.day:
            self.day, self.day_sats = day, self.reserved

    def left(self) -> tuple[int, str, int] | None:
        """Return the satoshis left of the limit that leaves the fewest, its name, and its value; None without limits."""
        limits = []
        if self.sats_max is not None:
            limits.append((self.sats_max - self.reserved - self.spent, "sats_max", self.sats_max))
        if self.sats_per_day is not None:
            limits.append((self.sats_per_day - self.day_sats, "sats_per_day", self.sats_per_day))
        return min(limits, default=None)

    def reserve(self, sats: int) -> None:
        """Reserve satoshis; negative: return some of those reserved today."""
        self.reserved += sats
        self.day_sats += sats

    def settle(self, reserved: int, spent: int) -> None:
        """Count what a rental cost in place of what was reserved for it."""
        assert spent <= reserved, "a rental costs at most what was reserved for it"
        self.reserve(spent - reserved)
        self.reserved -= spent
        self.spent += spent

    def refund(self, sats: int, *, is_live: bool) -> None:
        """Return what a message cost to `sats_max`. `is_live`: its rental has not ended, so that it is still reserved."""
        if is_live:
            self.reserved -= sats
        else:
            self.spent -= sats
