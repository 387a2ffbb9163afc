"""The website's texts, through gettext: in English, and ready for a catalog. `make messages` extracts them."""

import gettext
from pathlib import Path

catalog = gettext.translation("dtmf", localedir=Path(__file__).parent / "locale", fallback=True)


def _(message: str) -> str:
    """The text in the reader's language."""
    return catalog.gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """The form of the text that goes with this count."""
    return catalog.ngettext(singular, plural, count)
