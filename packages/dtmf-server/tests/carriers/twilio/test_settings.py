"""Settings that can't work are refused before anything is sent, and secrets are not shown."""

from typing import Any

import pytest

from dtmf_server.carriers.twilio.settings import TwilioSettings
from dtmf_server.core.errors import CannotStart
from support.providers.twilio import Twilio
from support.twilio_carrier import carrier_of

REQUIRED = {"name": "twilio", "kind": "twilio", "account_sid": "AC" + "1" * 32, "auth_token": "canary"}


@pytest.mark.parametrize(
    ("settings", "is_sandbox", "complaint"),
    [
        ({}, False, []),
        ({}, True, ["base_url"]),
        ({"base_url": "http://127.0.0.1:8080"}, True, []),
        ({"base_url": "http://localhost:8080"}, False, []),
        ({"base_url": "http://api.example"}, False, ["base_url"]),
        ({"api_key": "SK1"}, False, ["api_secret"]),
        ({"api_secret": "canary"}, False, ["api_key"]),
        ({"api_key": "SK1", "api_secret": "canary"}, False, []),
    ],
)
def test_settings_that_contradict_each_other_are_named(
    settings: dict[str, Any], is_sandbox: bool, complaint: list[str]
) -> None:
    made = TwilioSettings(**REQUIRED | settings)
    assert [key for key, _ in made.disagreements(is_sandbox=is_sandbox)] == complaint
    assert "canary" not in repr(made)


def test_a_carrier_without_a_public_url_cannot_start(provider: Twilio) -> None:
    with pytest.raises(CannotStart, match=r"carrier twilio: set server\.public_url"):
        carrier_of(provider, callback_url=None)
