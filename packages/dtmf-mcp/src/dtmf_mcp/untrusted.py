"""Text that strangers wrote, marked so that a language model doesn't mistake it for instructions.

1. A marked text is between `<untrusted-sms>` and `</untrusted-sms>`. Inside, `&`, `<` and `>` are escaped, so no text can
   close the mark or open another one.
2. Characters that a person can't see are written as `\\u{…}`: control and format characters, tags, variation selectors.
   They could hide instructions.
3. A code is returned apart from the text, and only if it has the form of a code."""

import re

from dtmf.codes import find_code

_is_code = re.compile(r"[0-9A-Za-z-]{3,32}").fullmatch
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def code_in(text: str | None) -> str | None:
    """Return the code in a text, None if it has none."""
    code = find_code(text or "")
    return code if code and _is_code(code) else None


def marked(text: str) -> str:
    """Return the text between marks, escaped."""
    return f"<untrusted-sms>{escaped(text)}</untrusted-sms>"


def escaped(text: str) -> str:
    """Return the text without characters that could end a mark or that are invisible."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(c if _is_visible(c) else f"\\u{{{ord(c):x}}}" for c in plain)


def _is_visible(character: str) -> bool:
    if character == "\n":
        return True
    return character.isprintable() and not any(ord(character) in selectors for selectors in _SELECTORS)
