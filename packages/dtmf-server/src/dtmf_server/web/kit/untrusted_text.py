"""Split untrusted text into parts that are safe to show: no part can pass for something else.

Rules:
1. The templates escape all text.
2. Each text is isolated (`<bdi>`), so that it can't change the direction of the text around it.
3. Bidirectional controls and invisible characters have no effect: each is replaced by its name.
4. URLs in a text are not clickable. Links appear below the text and show the host they lead to.
"""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

SHOWN_AT_FIRST = 600  # characters; the rest of a long text is collapsed
LINKS_MAX = 5

# Bidirectional embeddings, overrides and isolates (UAX #9); zero-width characters except joiners, which emoji and
# Persian need; control characters except line breaks and tabs.
_MARKED = re.compile(
    "[\u202a-\u202e\u2066-\u2069\u200b\u2060-\u2064\ufeff\u00ad\u180e\x00-\x08\x0b-\x1f\x7f-\x9f\U000e0000-\U000e007f]"
)
_URL = re.compile(r"(?i)\bhttps?://[^\s<>\"'\u202a-\u202e\u2066-\u2069\u200b\ufeff]{1,2000}")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of text or, if `mark`, the name of a neutralized character."""

    text: str
    mark: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A URL in a text, and the host it leads to."""

    url: str
    host: str


@dataclass(frozen=True, slots=True)
class UntrustedText:
    """A text to show: its beginning, the collapsed rest, and its links."""

    parts: list[Fragment]
    rest: list[Fragment]
    rest_length: int
    links: list[Link]


def render_untrusted(text: str) -> UntrustedText:
    """Split a text into parts and links; the end of a long text goes to `rest`."""
    first, rest = (text, "") if len(text) <= SHOWN_AT_FIRST * 5 // 4 else _cut(text)
    return UntrustedText(fragments(first), fragments(rest), len(rest), links(text))


def fragments(text: str) -> list[Fragment]:
    """Split a text into fragments, with bidirectional controls and invisible characters replaced by marks."""
    found, start = [], 0
    for match in _MARKED.finditer(text):
        found.append(Fragment(text[start : match.start()]))
        found.append(Fragment(_name(match[0]), mark=True))
        start = match.end()
    found.append(Fragment(text[start:]))
    return [part for part in found if part.text]


def links(text: str) -> list[Link]:
    """Return the HTTP URLs in a text, each with its host. URLs without a valid host are skipped."""
    found: dict[str, Link] = {}
    for match in _URL.finditer(text):
        url = match[0].rstrip(".,;:!?)]}")
        host = _host(url)
        if host and url not in found and len(found) < LINKS_MAX:
            found[url] = Link(url, host)
    return list(found.values())


def _cut(text: str) -> tuple[str, str]:
    """Cut at a space near `SHOWN_AT_FIRST`, or exactly there if there is none."""
    at = text.rfind(" ", SHOWN_AT_FIRST * 3 // 4, SHOWN_AT_FIRST)
    at = SHOWN_AT_FIRST if at < 0 else at + 1
    return text[:at], text[at:]


def _name(character: str) -> str:
    name = unicodedata.name(character, f"U+{ord(character):04X}")
    return name.lower()


def _host(url: str) -> str:
    """Return the URL's host in ASCII (IDNA), which exposes look-alike letters; empty if it is invalid.

    URLs with user info, a backslash or an escape in the host are invalid: parsers disagree about where they lead."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        if "\\" in url or "@" in parts.netloc or "%" in parts.netloc or not host:
            return ""
        return host.encode("idna").decode("ascii") + port if not host.isascii() else host + port
    except (ValueError, UnicodeError):
        return ""
