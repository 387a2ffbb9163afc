"""The settings of `[[carrier]] kind = "twilio"`."""

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from dtmf_server.config.carrier import CarrierSettings
from dtmf_server.config.section import setting
from dtmf_server.config.types import YesNo
from dtmf_server.core.hosts import is_loopback

_is_id = re.compile(r"[0-9A-Za-z-]{1,64}\Z").match
_is_header = re.compile(r"[0-9A-Za-z-]{1,64}\Z").match


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        works = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        return works and not parts.query and not parts.fragment
    except ValueError:
        return False


class TwilioSettings(CarrierSettings, frozen=True, kw_only=True):
    """A project at Twilio, or at a provider with Twilio's API."""

    account_sid: Annotated[str, setting("the account SID, like AC followed by 32 characters", _is_id)]
    auth_token: Annotated[str, setting("the auth token of the account, which signs callbacks", str.strip, secret=True)]
    # For requests instead of the account SID and the auth token. SignalWire: the project ID and an API token.
    api_key: Annotated[str | None, setting("the SID of an API key, like SK followed by 32 characters", _is_id)] = None
    api_secret: Annotated[str | None, setting("the secret of the API key", str.strip, secret=True)] = None
    messaging_service_sid: Annotated[
        str | None, setting("the SID of a messaging service, like MG followed by 32 characters", _is_id)
    ] = None
    base_url: Annotated[str, setting("a URL like https://api.twilio.com", _is_url)] = "https://api.twilio.com"
    signature_header: Annotated[str, setting("the name of a header, like X-Twilio-Signature", _is_header)] = (
        "X-Twilio-Signature"
    )
    # For how long Twilio queues an SMS before it hands it on.
    validity_period_s: Annotated[int, Meta(ge=1, le=36_000, description="whole seconds from 1 to 36000")] = 14_400
    catch_up: YesNo = True

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """An API key needs its secret, credentials need TLS, and a sandbox must not send real SMS."""
        if (self.api_key is None) != (self.api_secret is None):
            missing = "api_secret" if self.api_secret is None else "api_key"
            yield missing, "is missing: set both api_key and api_secret, or neither"
        parts = urlsplit(self.base_url)
        if is_loopback(parts.hostname or ""):
            return
        if is_sandbox:
            yield "base_url", "is not this machine: a sandbox may only use carriers on loopback"
        elif parts.scheme != "https":
            yield "base_url", "must begin with https:// because it gets the credentials"
