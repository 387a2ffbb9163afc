"""The settings of `[[carrier]] kind = "android"`."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from dtmf_server.config.carrier import CarrierSettings
from dtmf_server.config.section import setting
from dtmf_server.core.hosts import is_loopback

ANY_SIM = "any"
SERVER_PATH = "/3rdparty/v1"
_is_e164 = re.compile(r"\+[1-9][0-9]{6,14}\Z").match
_is_sim = re.compile(r"[1-9]\Z").match
_PRIVATE_SUFFIXES = (".local", ".lan", ".internal", ".home.arpa")


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return bool(parts.hostname) and parts.scheme in ("http", "https") and not (parts.query or "@" in parts.netloc)
    except ValueError:
        return False


def _is_header_text(value: str) -> bool:
    return value.isascii() and value.isprintable() and len(value) <= 200


class AndroidSettings(CarrierSettings, frozen=True, kw_only=True):
    """A phone with the app android-sms-gateway."""

    url: Annotated[str, setting(f"a URL like http://192.168.1.20:8080 or https://…{SERVER_PATH}", _is_url)]
    password: Annotated[str, setting("the ASCII password that the app shows", _is_header_text, secret=True)]
    signing_key: Annotated[str, setting("the key that the app signs webhooks with", _is_header_text, secret=True)]
    sims: Annotated[
        dict[str, str],
        Meta(description=f'a table like {{ 1 = "+447700900001" }} of the number of each SIM, or of "{ANY_SIM}"'),
    ]
    username: Annotated[
        str, setting("the ASCII user name that the app shows", lambda name: _is_header_text(name) and ":" not in name)
    ] = "sms"
    device_id: Annotated[str | None, setting("the device ID that the app shows", _is_header_text)] = None
    heartbeat_minutes: Annotated[int, Meta(ge=0, le=1440, description="whole minutes from 0 (never) to 1440")] = 10
    signature_max_age_s: Annotated[int, Meta(ge=30, le=86400, description="whole seconds from 30 to 86400")] = 300

    @property
    def is_local(self) -> bool:
        """True if the URL is the phone itself, and not a server that the phone is connected to."""
        return not urlsplit(self.url).path.rstrip("/").endswith(SERVER_PATH)

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with `sims`, and in a sandbox a phone that is not on loopback."""
        if wrong := sims_fault(self.sims):
            yield "sims", wrong
        if is_sandbox and not is_loopback(urlsplit(self.url).hostname or ""):
            yield "url", "is not this machine: a sandbox has carriers on loopback only"

    def warnings(self) -> Iterator[str]:
        """Yield a warning if the password crosses the internet unencrypted."""
        parts = urlsplit(self.url)
        if parts.scheme == "http" and not _is_private(parts.hostname or ""):
            yield "url is http: and not on a private network, so the password and every text can be read on the way"


def sims_fault(sims: Mapping[str, str]) -> str:
    """Return what is wrong with a table of SIMs; empty if nothing is."""
    if not sims:
        return "is empty: which number has the SIM?"
    for sim, e164 in sims.items():
        if sim != ANY_SIM and not _is_sim(sim):
            return f'has the key {sim!r}: use the SIM\'s number in the phone, 1 or 2, or "{ANY_SIM}"'
        if not _is_e164(e164):
            return f"has the number {e164!r}: use the international format, like +447700900001"
    if ANY_SIM in sims and len(sims) > 1:
        return f'has "{ANY_SIM}" and other SIMs: "{ANY_SIM}" is for a phone with one SIM'
    if len({*sims.values()}) < len(sims):
        return "has the same number twice"
    return ""


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_SUFFIXES)
