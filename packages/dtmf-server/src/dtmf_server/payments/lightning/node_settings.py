"""The common parts of the settings of Lightning backends: checks of a URL and of a credential, and reading a certificate."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from dtmf_server.core.errors import CannotStart
from dtmf_server.core.hosts import is_loopback

is_credential = re.compile(r"[!-~]{1,2000}\Z").match


def is_url(value: str) -> bool:
    """Return True for an http:// or https:// URL without user, query and fragment."""
    try:
        parts = urlsplit(value)
        works = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        return works and value.isascii() and not set("?#@ \\") & set(value)
    except ValueError:
        return False


def is_path(value: str) -> bool:
    """Return True for an absolute path."""
    return value.startswith("/") and "\0" not in value


def url_disagreements(url: str, *, is_sandbox: bool, needs_tls: bool) -> Iterator[tuple[str, str]]:
    """Yield the complaint about a URL on another machine in a sandbox, or without TLS where the credentials need it."""
    parts = urlsplit(url)
    if is_loopback(parts.hostname or ""):
        return
    if is_sandbox:
        yield "url", "is not this machine: a sandbox may only use nodes on loopback"
    elif needs_tls and parts.scheme != "https":
        yield "url", "must begin with https:// because requests contain the credentials"


def read_certificate(path: str | None) -> str | None:
    """Return the PEM text of the certificate at `path`. Raises CannotStart if it can't be read."""
    if path is None:
        return None
    try:
        text = Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not PEM"
        raise CannotStart(f"lightning.certificate {path}: {reason}") from error
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise CannotStart(f"lightning.certificate {path}: it is not a PEM certificate")
    return text
