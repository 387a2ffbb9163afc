"""The settings of the kind "telnyx": what is refused at the start, and never shown."""

from functools import partial
from pathlib import Path

import pytest

from dtmf_server import config
from dtmf_server.carriers.registry import settings_class
from dtmf_server.config import ConfigError
from support.providers.telnyx import Telnyx

load = partial(config.load, settings_of=settings_class)

VALID = f"""\
[[carrier]]
name = "telnyx"
kind = "telnyx"
api_key = "KEY0123_secret"
public_key = "{Telnyx().public_key}"
messaging_profile_id = "4000eba1-a0c0-4563-9925-b25e842a7cb6"
base_url = "http://127.0.0.1:9"
"""


def test_the_settings_of_the_documentation_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "dtmf.toml"
    path.write_text(VALID)
    (carrier,) = load(path, {}).carrier
    assert carrier.kind == "telnyx"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("KEY0123_secret", "canary with spaces", "carrier[0].api_key must be the API key of the account"),
        (Telnyx().public_key, "abcd", "carrier[0].public_key must be the public key of the account"),
        (Telnyx().public_key, "not base64!", "carrier[0].public_key must be the public key of the account"),
        ("4000eba1-", "4000 eba1-", "carrier[0].messaging_profile_id must be the ID of the messaging profile"),
        ("http://127.0.0.1:9", "ftp://127.0.0.1", "carrier[0].base_url must be a URL like"),
        ("http://127.0.0.1:9", "https://api.telnyx.com", "carrier[0].base_url is not this machine: a sandbox"),
    ],
)
def test_invalid_settings_are_named_without_the_secret(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    path = tmp_path / "dtmf.toml"
    path.write_text(VALID.replace(old, new))
    with pytest.raises(ConfigError) as refused:
        load(path, {})
    assert complaint in str(refused.value)
    assert "canary" not in str(refused.value)
