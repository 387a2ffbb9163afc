"""The schema of a token in responses."""

from msgspec import UNSET, Struct, UnsetType

from dtmf_server.api.schemas.responses import Sats, Time
from dtmf_server.core.timestamps import iso
from dtmf_server.operations import token_limits
from dtmf_server.storage.db import Row
from dtmf_server.storage.tokens import grant_of


class Token(Struct, omit_defaults=True):
    """A token's id and label, never the token itself. The other fields are those of a restricted token.

    `reserved`: what its live rentals may cost in all, if it has a limit in satoshis; `spent`: what those that ended cost;
    `today`: what counts against `sats_per_day`. All of them and `rentals_started` include the tokens that it created.
    """

    id: int
    label: str
    created_at: Time
    ended_at: Time | UnsetType = UNSET
    created_by: int | UnsetType | None = UNSET
    scopes: list[str] | UnsetType = UNSET
    groups: list[str] | UnsetType | None = UNSET
    expires_at: Time | UnsetType | None = UNSET
    sats_max: Sats | UnsetType | None = UNSET
    sats_per_day: Sats | UnsetType | None = UNSET
    rentals_max: int | UnsetType | None = UNSET
    reserved: Sats | UnsetType = UNSET
    spent: Sats | UnsetType = UNSET
    today: Sats | UnsetType = UNSET
    rentals_started: int | UnsetType = UNSET


def shown(row: Row, *, now_us: int) -> Token:
    """Return a token as shown; one that is not restricted has no limits to show."""
    token = Token(row["id"], row["label"], iso(row["created_at_us"]))
    if row["revoked_at_us"] is not None:
        token.ended_at = iso(row["revoked_at_us"])
    grant = grant_of(row)
    if grant is None:
        return token
    token.created_by = row["parent_id"]
    token.scopes = list(grant.scopes or ())
    token.groups = None if grant.groups is None else list(grant.groups)
    token.expires_at = None if grant.expires_wall_us is None else iso(grant.expires_wall_us)
    token.sats_max, token.sats_per_day, token.rentals_max = grant.sats_max, grant.sats_per_day, grant.rentals_max
    token.reserved, token.spent = row["reserved_sats"], row["spent_sats"]
    token.today = token_limits.today(row, now_us=now_us)
    token.rentals_started = row["rentals_started"]
    return token
