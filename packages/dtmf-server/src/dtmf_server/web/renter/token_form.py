"""The form that creates a token: its name, and what restricts it, as in `POST /api/v1/tokens`."""

from dtmf_server.core.errors import InvalidRequest
from dtmf_server.core.token_grant import SCOPES, Grant
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.http import validation
from dtmf_server.web.kit.forms import Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.renter.limits import limit_of

GROUPS_MAX = 100
_PERIODS_US = {"1h": 60 * MINUTE_US, "1d": DAY_US, "7d": 7 * DAY_US, "30d": 30 * DAY_US, "365d": 365 * DAY_US}


def periods() -> dict[str, str]:
    """Return the choices for when a token expires, with their labels."""
    labels = (_("in 1 hour"), _("in 1 day"), _("in 7 days"), _("in 30 days"), _("in 1 year"))
    return {"": _("never"), **dict(zip(_PERIODS_US, labels, strict=True))}


def label(form: Form) -> str:
    """Return the name of the new token. Raises InvalidRequest."""
    found = validation.line("label", form.line("label"))
    if not found:
        raise InvalidRequest("label", _("Enter a name, for example the program that will use the token."))
    if len(found) > validation.LABEL_MAX:
        raise InvalidRequest("label", _("This name is too long. Use at most %d characters.") % validation.LABEL_MAX)
    return found


def asked(form: Form, *, wall_us: int) -> Grant:
    """Return what restricts the new token; an empty grant if no field is filled in. Raises InvalidRequest."""
    grant = Grant(
        tuple(scope for scope in SCOPES if form[f"scope_{scope}"]) or None,
        _groups(form),
        _expires_us(form, wall_us=wall_us),
        limit_of(form, "sats_max"),
        limit_of(form, "sats_per_day"),
        limit_of(form, "rentals_max"),
    )
    if grant.is_empty and restricts(form):
        raise InvalidRequest("groups", _("Enter what restricts the token, or leave these fields empty."))
    return grant


def restricts(form: Form) -> bool:
    """Return whether any field that restricts the token is filled in."""
    fields = (
        *(f"scope_{scope}" for scope in SCOPES),
        "groups",
        "expires_in",
        "sats_max",
        "sats_per_day",
        "rentals_max",
    )
    return any(form.line(name) for name in fields)


def _groups(form: Form) -> tuple[str, ...] | None:
    line = validation.line("groups", form.line("groups"))
    found = tuple(dict.fromkeys(line.replace(",", " ").split()))
    if len(found) > GROUPS_MAX:
        raise InvalidRequest("groups", _("Enter at most %d groups.") % GROUPS_MAX)
    return found or None


def _expires_us(form: Form, *, wall_us: int) -> int | None:
    period = form["expires_in"]
    if not period:
        return None
    if period not in _PERIODS_US:
        raise InvalidRequest("expires_in", _("Choose when the token expires."))
    return wall_us + _PERIODS_US[period]
