"""Restricted tokens: what one may do, and that a token it creates may do no more.

Rules (docs/guides/tokens.md):
1. A token without a grant is unrestricted. A restricted token may create others with the scope `tokens`, but those may
   not create any.
2. A field that a child's request leaves out is that of its parent. A field that it names must not be wider.
3. All costs that count against a child's limits also count against those of its parent.

Pure; amounts are satoshis, times are microseconds since 1970 UTC by the wall clock.
"""

from collections.abc import Sequence

from msgspec import Struct

from dtmf_server.core.errors import TokenTooWide

SCOPES = ("read", "rent", "send", "topup", "tokens", "webhooks")


class Grant(Struct, frozen=True):
    """The restrictions of a token. None: not limited; `scopes` None: not stated yet, all of them."""

    scopes: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    expires_wall_us: int | None = None
    sats_max: int | None = None
    sats_per_day: int | None = None
    rentals_max: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is restricted."""
        return self == Grant()

    @property
    def is_capped(self) -> bool:
        """Whether what it spends is limited."""
        return self.sats_max is not None or self.sats_per_day is not None


def complete(asked: Grant) -> Grant:
    """Return the grant of a new restricted token without a parent."""
    return Grant(
        tuple(scope for scope in SCOPES if asked.scopes is None or scope in asked.scopes),
        asked.groups,
        asked.expires_wall_us,
        asked.sats_max,
        asked.sats_per_day,
        asked.rentals_max,
    )


def narrowed(parent: Grant, asked: Grant) -> Grant:
    """Return the grant of a child. Raises TokenTooWide, which names the field in which the child would be wider."""
    assert parent.scopes is not None, "a stored grant has scopes"
    for field in ("scopes", "groups"):
        _require_subset(field, getattr(parent, field), getattr(asked, field))
    for field in ("expires_wall_us", "sats_max", "sats_per_day", "rentals_max"):
        _require_at_most(field, getattr(parent, field), getattr(asked, field))
    scopes = parent.scopes if asked.scopes is None else asked.scopes
    return Grant(
        tuple(scope for scope in SCOPES if scope in scopes),
        parent.groups if asked.groups is None else asked.groups,
        _first(asked.expires_wall_us, parent.expires_wall_us),
        _first(asked.sats_max, parent.sats_max),
        _first(asked.sats_per_day, parent.sats_per_day),
        _first(asked.rentals_max, parent.rentals_max),
    )


def _require_subset(field: str, parent: Sequence[str] | None, asked: Sequence[str] | None) -> None:
    wider = [] if parent is None or asked is None else [each for each in asked if each not in parent]
    if wider:
        raise TokenTooWide(f"{field}: the token that creates this one does not have {wider[0]!r}", field=field)


def _require_at_most(field: str, parent: int | None, asked: int | None) -> None:
    if parent is None or asked is None or asked <= parent:
        return
    if field == "expires_wall_us":
        raise TokenTooWide("expires_at: the token that creates this one expires earlier", field="expires_at")
    raise TokenTooWide(f"{field}: the token that creates this one has {parent}", field=field)


def _first(asked: int | None, parent: int | None) -> int | None:
    return parent if asked is None else asked
