"""Webhook bodies for chat and push services: one data file per service.

A webhook chooses its template in the fragment of its URL, `https://ntfy.sh/my-topic#template=ntfy`. A fragment is never
sent. Without one, the body is the documented JSON. The URL of such a service is a secret: anyone who knows it can post there.
So a URL with a template is only shown masked."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

NAMES = ("ntfy", "telegram", "matrix", "slack", "discord")
JSON_TYPE = "application/json"
_MARK = "#template="
_SECRET_MIN = 8  # characters of a part of a URL that is removed from what receivers reply
_placeholder = re.compile(r"\{(id|e164|sender|content)\}")
_parts = re.compile(r"[/?&=#:]")


@dataclass(frozen=True, slots=True)
class Template:
    """The body for one service: a text, or a JSON object whose texts have placeholders."""

    title: str
    example: str  # a URL of the service
    body: Any
    content_type: str = JSON_TYPE
    escapes: Mapping[str, str] | None = None

    def render(self, values: Mapping[str, str]) -> bytes:
        """Return the body with the placeholders filled in. Values are never read as placeholders."""
        safe = {name: self._escaped(value) for name, value in values.items()}
        filled = _filled(self.body, safe)
        return filled.encode() if isinstance(filled, str) else json.dumps(filled, ensure_ascii=False).encode()

    def _escaped(self, value: str) -> str:
        return "".join(self.escapes.get(c, c) for c in value) if self.escapes else value


@cache
def template(name: str) -> Template:
    """Return a template by its name."""
    found = tomllib.loads((files(__name__) / f"{name}.toml").read_text("utf-8"))
    content_type = found.get("content_type", JSON_TYPE)
    return Template(
        found["title"], found["example"], found.get("json", found.get("text")), content_type, found.get("escape")
    )


def split(destination: str) -> tuple[str, str | None]:
    """Return the URL without its template, and the template's name. Raises ValueError if there is no such template."""
    url, mark, name = destination.partition(_MARK)
    if not mark:
        return destination, None
    if name not in NAMES:
        raise ValueError(f"there is no template {name!r}: use one of {', '.join(NAMES)}")
    return url, name


def joined(url: str, name: str) -> str:
    """Return the URL with a template."""
    return f"{url}{_MARK}{name}"


def masked(destination: str) -> str:
    """Return a destination as it may be shown: of a URL with a template only the host."""
    url, mark, name = destination.partition(_MARK)
    if not mark:
        return destination
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?]', rest, maxsplit=1)[0]}/…{mark}{name}"


def without_secrets(reply: str, destination: str) -> str:
    """Return what a receiver replied, without the parts of a masked URL that it repeats."""
    url, mark, _ = destination.partition(_MARK)
    if mark:
        after_host = re.split("[/?]", url.partition("://")[2], maxsplit=1)[1:]
        for part in sorted(_parts.split("".join(after_host)), key=len, reverse=True):
            if len(part) >= _SECRET_MIN:
                reply = reply.replace(part, "…")
    return reply


def _filled(body: Any, values: Mapping[str, str]) -> Any:
    if isinstance(body, str):
        return _placeholder.sub(lambda found: values[found[1]], body)
    if isinstance(body, dict):
        return {name: _filled(value, values) for name, value in body.items()}
    return body
