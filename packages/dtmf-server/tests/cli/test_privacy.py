"""The list of stored data follows from the settings."""

import json

import pytest

from dtmf_server.cli.main import main
from dtmf_server.cli.privacy import items
from dtmf_server.config import Config, Retention, Signup


def test_the_list_is_printed_without_a_database(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtmf_server.cli.main.setup", lambda *_a, **_o: None)
    monkeypatch.setenv("DTMF_RETENTION__MESSAGE_DAYS", "7")
    assert main(["privacy"]) == 0
    text = (
        "the texts of SMS, and replies of webhook receivers (renters and their correspondents): 7 days after the rental"
    )
    assert text in capsys.readouterr().out
    assert main(["privacy", "--json"]) == 0
    assert [*json.loads(capsys.readouterr().out)["stored"][0]] == ["data", "about", "stored"]


def test_settings_change_the_list() -> None:
    usual = {item.data: item.stored for item in items(Config())}
    changed = {item.data: item.stored for item in items(Config(retention=Retention(0), signup=Signup(paid=True)))}
    assert usual["parts of incomplete SMS"] == "30 days at most"
    assert changed["parts of incomplete SMS"] == "2 days at most"
    assert {*changed} - {*usual} == {"a keyed hash of the network that signed up"}
