"""The state of carrier links as text, for /readyz and the operator's commands."""

from datetime import UTC, datetime

from dtmf_server.core.repeats import duration
from dtmf_server.core.units import DAY_US, SECOND_US
from dtmf_server.operations.carrier_health import LinkStatus


def fault_text(link: LinkStatus, *, wall_us: int) -> str:
    """Describe what is wrong with a link that is not up."""
    if not link.is_run:
        return f"{link.link} is not run by any process"
    state = link.state if link.heard_wall_us else _connecting(link, wall_us=wall_us)
    return f"{link.link} is {state}" + (f": {link.reason}" if link.reason else "")


def link_line(link: LinkStatus, *, wall_us: int) -> str:
    """Format a link as a line: state, duration, last heard, in, out, errors, p95 of the acknowledgement."""
    return (
        f"{link.link}: {_standing(link, wall_us=wall_us)}, {link.arrived} in, {link.submitted} out,"
        f" {link.errors} errors, p95 {link.p95_us / 1000:.1f} ms" + (f" ({link.reason})" if link.reason else "")
    )


def _standing(link: LinkStatus, *, wall_us: int) -> str:
    """Format a link's state, its duration, and when the link was last heard."""
    heard = f"heard {_ago(wall_us - link.heard_wall_us)} ago" if link.heard_wall_us else "never heard"
    if not link.is_run:
        return f"not run by any process since {_time(link.noted_wall_us, wall_us=wall_us)}, {heard}"
    if not link.heard_wall_us:
        return _connecting(link, wall_us=wall_us)
    return f"{link.state} for {_ago(wall_us - link.since_wall_us)}, {heard}"


def _connecting(link: LinkStatus, *, wall_us: int) -> str:
    """Format a link that was never up: it has been connecting since the process started."""
    return f"connecting since {_time(link.since_wall_us, wall_us=wall_us)}" if link.since_wall_us else "connecting"


def _time(at_us: int, *, wall_us: int) -> str:
    """Format a time, without the date if it is within the last day."""
    at = datetime.fromtimestamp(at_us // SECOND_US, UTC)
    return f"{at:%H:%M:%S} UTC" if wall_us - at_us < DAY_US else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _ago(us: int) -> str:
    return duration(us / SECOND_US)
