"""Jinja filters that format amounts, times and durations. Pure; the current time is an argument."""

from datetime import UTC, datetime, timedelta

from dtmf_server.core.money import Kind
from dtmf_server.core.units import MINUTE_US, SECOND_US
from dtmf_server.web.kit.i18n import _, ngettext

THIN = "\u202f"  # a narrow no-break space
MINUTES_A_DAY = 24 * 60


def sats(amount: int) -> str:
    """Format an amount in groups of three digits: 131 713."""
    return f"{amount:,}".replace(",", THIN).replace("-", "\u2212")


def signed(amount: int) -> str:
    """Format an amount with its sign, + or \u2212."""
    return ("+" if amount > 0 else "") + sats(amount)


def moment(at_us: int) -> datetime:
    """Convert microseconds since 1970 to a UTC datetime."""
    return datetime.fromtimestamp(at_us // SECOND_US, UTC)


def iso(at_us: int) -> str:
    """Format a time as ISO 8601, to the second."""
    return moment(at_us).strftime("%Y-%m-%dT%H:%M:%SZ")


def timestamp(at_us: int) -> str:
    """Format a time for people, to the second."""
    return moment(at_us).strftime("%Y-%m-%d %H:%M:%S UTC")


def short_time(at_us: int, now_us: int) -> str:
    """Format a time as briefly as possible: 09:41, Yesterday, 12 Nov."""
    at, now = moment(at_us), moment(now_us)
    if at.date() == now.date():
        return at.strftime("%H:%M")
    if at.date() == now.date() - timedelta(days=1):
        return _("Yesterday")
    return f"{at.day} {_month(at)}" if at.year == now.year else f"{at.day} {_month(at)} {at.year}"


def _month(at: datetime) -> str:
    names = [_("Jan"), _("Feb"), _("Mar"), _("Apr"), _("May"), _("Jun"), _("Jul"), _("Aug"), _("Sep"), _("Oct")]
    return [*names, _("Nov"), _("Dec")][at.month - 1]


def duration(duration_us: int) -> str:
    """Format a duration in its two largest units: 2 d 4 h, 3 h 20 min, 12 min."""
    minutes = max(0, duration_us) // MINUTE_US
    days, hours = divmod(minutes // 60, 24)
    if days >= 100:
        return _("%d\u00a0d") % days
    if days:
        return _("%(days)d\u00a0d\u00a0%(hours)d\u00a0h") % {"days": days, "hours": hours}
    if hours:
        return _("%(hours)d\u00a0h\u00a0%(minutes)d\u00a0min") % {"hours": hours, "minutes": minutes % 60}
    return _("%d\u00a0min") % minutes


def humanize_duration(duration_us: int) -> str:
    """Format a duration in one unit, for estimates: 4 days."""
    minutes = max(0, duration_us) // MINUTE_US
    if minutes >= 2 * MINUTES_A_DAY:
        days = minutes // MINUTES_A_DAY
        return _("more than ten years") if days > 3652 else ngettext("%d day", "%d days", days) % days
    if minutes >= 120:
        return ngettext("%d hour", "%d hours", minutes // 60) % (minutes // 60)
    return ngettext("%d minute", "%d minutes", minutes) % minutes


def transfer_label(kind: str) -> str:
    """Return the label of a kind of transfer."""
    words = {
        Kind.DEPOSIT: _("Deposit"),
        Kind.LIGHTNING_DEPOSIT: _("Lightning deposit"),
        Kind.DEPOSIT_REVERSED: _("Deposit reversed by the network"),
        Kind.DEBT: _("Debt, paid by your next deposit"),
        Kind.DEBT_PAID: _("Debt paid off"),
        Kind.RENTAL_SETUP: _("Setup"),
        Kind.RENTAL_MINUTES: _("Minutes"),
        Kind.MESSAGE_RECEIVED: _("SMS received"),
        Kind.MESSAGE_SENT: _("SMS sent"),
        Kind.MESSAGE_REFUNDED: _("SMS refunded"),
        Kind.RENTAL_REFUNDED: _("Rental refunded"),
        Kind.OPERATOR_CREDIT: _("Credit from the operator"),
        Kind.OPERATOR_DEBIT: _("Debit by the operator"),
        Kind.GIVEN_UP: _("Forfeited"),
        Kind.MOVED_OUT: _("Moved to another account"),
        Kind.MOVED_IN: _("Moved from a deleted account"),
    }
    return words[Kind(kind)] if kind in words else kind
