"""The code in a text, if it has one: what people came for."""

import re

_NEAR = re.compile(r"(?i)\b(code|pin|otp|passcode|password|verification|verify|confirm|log ?in|token|kod|kód|código)\b")
_FIGURES = re.compile(r"(?<![\w.,:/+-])(?:[A-Z]{1,3}-)?([0-9]{3}[ -][0-9]{3}|[0-9]{4,8})(?![\w/]|[.,:-][0-9])")


def find_code(text: str) -> str | None:
    """The code of a text without blanks and hyphens, None if there is none to be sure of."""
    found = [match[1] for match in _FIGURES.finditer(text)]
    if not found or not (_NEAR.search(text) or len(found) == 1):
        return None
    return re.sub(r"[ -]", "", found[0])
