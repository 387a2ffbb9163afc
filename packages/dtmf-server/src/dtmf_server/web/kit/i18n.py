"""gettext translation of the website. English only so far; `make messages` extracts the texts."""

import gettext
from pathlib import Path

catalog = gettext.translation("dtmf", localedir=Path(__file__).parent / "locale", fallback=True)


def _(message: str) -> str:
    """Translate a text."""
    return catalog.gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """Translate a text, choosing its singular or plural form."""
    return catalog.ngettext(singular, plural, count)
