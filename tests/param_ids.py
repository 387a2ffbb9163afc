"""Ids for parametrised tests that are the same in every process that collects them."""

import re


def shown(value: object) -> str:
    """Return the repr of a value in ASCII, without object addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", ascii(value))
