"""Names for parametrised tests, the same in every process that collects them."""

import re


def shown(value: object) -> str:
    """The value as Python writes it, in ASCII, without the addresses of objects."""
    return re.sub(r" at 0x[0-9a-f]+", "", ascii(value))
