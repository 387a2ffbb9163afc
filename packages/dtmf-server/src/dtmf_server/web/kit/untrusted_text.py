"""A stranger's text, cut into parts that can be shown: nothing in it can pass for something it is not.

Rules:
1. Text is only ever text: the templates escape it, whatever it says.
2. A text is shown in isolation (`<bdi>`), so that it can't turn around what stands beside it.
3. Characters that turn text around or that nobody can see are not obeyed: each is shown as a mark with its name.
4. A link is never made of what the text calls it: the text stays as it is, and below it stands where it leads.
"""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

SHOWN_AT_FIRST = 600  # characters; the rest of a long text is one click away
LINKS_MAX = 5

# Bidirectional embeddings, overrides and isolates (UAX #9), and characters without width but joiners, which emoji and
# Persian need; other control characters but line breaks and tabs.
_MARKED = re.compile(
    "[\u202a-\u202e\u2066-\u2069\u200b\u2060-\u2064\ufeff\u00ad\u180e\x00-\x08\x0b-\x1f\x7f-\x9f\U000e0000-\U000e007f]"
)
_URL = re.compile(r"(?i)\bhttps?://[^\s<>\"'\u202a-\u202e\u2066-\u2069\u200b\ufeff]{1,2000}")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of text, or (`mark`) the name of a character that is not obeyed."""

    text: str
    mark: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """Where a text links to: the whole address, and the host that will really be asked."""

    url: str
    host: str


@dataclass(frozen=True, slots=True)
class UntrustedText:
    """A text to show: its beginning, what is left of it, and where it links to."""

    parts: list[Fragment]
    rest: list[Fragment]
    rest_length: int
    links: list[Link]


def render_untrusted(text: str) -> UntrustedText:
    """The text as parts, the long rest apart."""
    first, rest = (text, "") if len(text) <= SHOWN_AT_FIRST * 5 // 4 else _cut(text)
    return UntrustedText(fragments(first), fragments(rest), len(rest), links(text))


def fragments(text: str) -> list[Fragment]:
    """The text without characters that would be obeyed; each has become a mark."""
    found, start = [], 0
    for match in _MARKED.finditer(text):
        found.append(Fragment(text[start : match.start()]))
        found.append(Fragment(_name(match[0]), mark=True))
        start = match.end()
    found.append(Fragment(text[start:]))
    return [part for part in found if part.text]


def links(text: str) -> list[Link]:
    """The addresses in a text that a browser could open, each with its real host; one without a host is none."""
    found: dict[str, Link] = {}
    for match in _URL.finditer(text):
        url = match[0].rstrip(".,;:!?)]}")
        host = _host(url)
        if host and url not in found and len(found) < LINKS_MAX:
            found[url] = Link(url, host)
    return list(found.values())


def _cut(text: str) -> tuple[str, str]:
    """At a blank near the end of what is shown at first, else right there."""
    at = text.rfind(" ", SHOWN_AT_FIRST * 3 // 4, SHOWN_AT_FIRST)
    at = SHOWN_AT_FIRST if at < 0 else at + 1
    return text[:at], text[at:]


def _name(character: str) -> str:
    name = unicodedata.name(character, f"U+{ord(character):04X}")
    return name.lower()


def _host(url: str) -> str:
    """The host as it goes over the network: in ASCII, so that look-alike letters show; empty if there is none.

    Only plain hosts count: with a name before an @, a backslash or an escape, readers disagree about where it leads."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        if "\\" in url or "@" in parts.netloc or "%" in parts.netloc or not host:
            return ""
        return host.encode("idna").decode("ascii") + port if not host.isascii() else host + port
    except (ValueError, UnicodeError):
        return ""
