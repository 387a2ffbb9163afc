"""The settings of `[[carrier]] kind = "telnyx"`."""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from dtmf_server.config.carrier import CarrierSettings
from dtmf_server.config.section import setting
from dtmf_server.core.hosts import is_loopback

PUBLIC_KEY_BYTES = 32  # Ed25519, RFC 8032 §5.1.5

_is_key = re.compile(r"[!-~]{1,200}\Z").match
_is_id = re.compile(r"[0-9A-Za-z-]{1,64}\Z").match


def _is_public_key(value: str) -> bool:
    try:
        return len(b64decode(value, validate=True)) == PUBLIC_KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        works = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        return works and not parts.query and not parts.fragment
    except ValueError:
        return False


class TelnyxSettings(CarrierSettings, frozen=True, kw_only=True):
    """A messaging profile of an account at Telnyx."""

    api_key: Annotated[str, setting("the API key of the account, like KEY0123…", _is_key, secret=True)]
    public_key: Annotated[
        str, setting("the public key of the account, which is 44 characters of base64 and ends with =", _is_public_key)
    ]
    messaging_profile_id: Annotated[
        str, setting("the ID of the messaging profile that the numbers are assigned to", _is_id)
    ]
    base_url: Annotated[str, setting("a URL like https://api.telnyx.com", _is_url)] = "https://api.telnyx.com"

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """The API key needs TLS, and a sandbox must not send real SMS."""
        parts = urlsplit(self.base_url)
        if is_loopback(parts.hostname or ""):
            return
        if is_sandbox:
            yield "base_url", "is not this machine: a sandbox may only use carriers on loopback"
        elif parts.scheme != "https":
            yield "base_url", "must begin with https:// because requests contain the API key"
