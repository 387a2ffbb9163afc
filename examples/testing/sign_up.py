"""A small program that borrows a number for one sign-up and always returns it.

Its tests are in test_sign_up.py and run against a real sandbox: see docs/guides/testing.md.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from dtmf import DTMF, NotFoundError, TimedOutError


class NoCode(Exception):
    """The site sent no code in time."""


def cheapest_group(dtmf: DTMF, *, minutes: int) -> str:
    """Return the ID of the cheapest group of mobile numbers for this many minutes and one SMS."""

    def cost(group) -> int:
        return group["setup_cost"] + minutes * group["rental_cost_per_minute"] + group["cost_per_inbound_message"]

    return min((group for group in dtmf.groups("mobile") if group["sms_support"]), key=cost)["id"]


@contextmanager
def borrowed_number(dtmf: DTMF) -> Iterator[str]:
    """Rent a number for the length of the block."""
    e164 = dtmf.start_rental(cheapest_group(dtmf, minutes=5))["e164"]
    try:
        yield e164
    finally:
        with suppress(NotFoundError):  # the rental has already ended: the balance ran out
            dtmf.end_rental(e164)


def sign_up(dtmf: DTMF, register: Callable[[str], None], *, patience_s: float = 60) -> str:
    """Return the code that a site sends after `register(number)`. Raises NoCode."""
    with borrowed_number(dtmf) as e164:
        register(e164)
        try:
            return dtmf.wait_for_code(e164, timeout=patience_s)
        except TimedOutError as error:
            raise NoCode(f"no code arrived at {e164}") from error
