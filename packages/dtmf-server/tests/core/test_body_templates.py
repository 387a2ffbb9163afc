"""The webhook bodies of chat and push services."""

import json

import pytest

from dtmf_server.core import body_templates, webhook_url
from dtmf_server.core.body_templates import NAMES, joined, masked, split, template, without_secrets

SMS = {"id": "7", "e164": "+12025550100", "sender": "BANK", "content": "Your code is 428613"}
HOSTILE = '"}, <!channel> @everyone {sender} {e164} \\ \u2028 & </b>'


@pytest.mark.parametrize("name", NAMES)
def test_each_template_has_the_sender_the_number_and_the_text(name: str) -> None:
    body = template(name).render(SMS).decode()
    assert all(value in body for value in ("+12025550100", "BANK", "Your code is 428613"))
    assert webhook_url.parse(joined(template(name).example, name), sandbox=False).url == template(name).example


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_text_stays_text(name: str) -> None:
    body = template(name).render({**SMS, "content": HOSTILE}).decode()
    if name == "ntfy":
        assert body.endswith(HOSTILE)
        return
    found = json.loads(body)
    (text,) = [value for value in found.values() if isinstance(value, str)]
    assert list(found) == list(template(name).body)
    expected = HOSTILE.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") if name == "slack" else HOSTILE
    assert text.endswith(expected)
    assert name != "discord" or found["allowed_mentions"] == {"parse": []}


def test_an_unknown_template_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no template 'teams': use one of ntfy, telegram"):
        webhook_url.parse("https://example.org/#template=teams", sandbox=False)
    with pytest.raises(ValueError, match="fragment"):
        webhook_url.parse("https://example.org/#anything", sandbox=False)


def test_a_url_with_a_template_is_only_shown_masked() -> None:
    url = "https://api.telegram.org/bot123456:AAE-secret-token/sendMessage?chat_id=123456789"
    assert masked(joined(url, "telegram")) == "https://api.telegram.org/…#template=telegram"
    assert masked(url) == url
    assert masked("+447700900123") == "+447700900123"
    assert split(joined(url, "telegram")) == (url, "telegram")
    with pytest.raises(ValueError):
        webhook_url.parse(masked(joined(url, "telegram")), sandbox=False)
    reply = without_secrets("no bot AAE-secret-token in chat 123456789", joined(url, "telegram"))
    assert reply == "no bot … in chat …"
    assert without_secrets("sendMessage", url) == "sendMessage"


def test_every_data_file_is_a_template() -> None:
    folder = body_templates.files(body_templates.__name__)
    assert {path.name for path in folder.iterdir() if path.name.endswith(".toml")} == {f"{name}.toml" for name in NAMES}
