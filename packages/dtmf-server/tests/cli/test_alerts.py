"""`dtmf-server alerts test` posts one signed alert, and shows why it did not arrive."""

import json
from pathlib import Path

import pytest

from dtmf.webhook import sign
from dtmf_server.cli.main import main
from support.webhook_receiver import receiving

SECRET = "whsec_" + "A" * 32


@pytest.mark.parametrize(("status", "exit_status"), [(204, 0), (500, 1)])
def test_a_test_alert_is_posted_and_the_answer_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, exit_status: int
) -> None:
    with receiving(lambda _: status) as receiver:
        config = tmp_path / "dtmf.toml"
        config.write_text(f'[alerts]\nwebhook = "{receiver.url}"\nsecret = "{SECRET}"\nallow_loopback = true\n')
        assert main(["alerts", "test", "--config", str(config), "--json"]) == exit_status
        (request,) = receiver.wait_for(1)
    found = json.loads(capsys.readouterr().out)
    assert found["delivered"] == (status == 204) and (found["reason"] is None) == (status == 204)
    assert json.loads(request.body)["data"]["alert"] == "DTMFTest"
    signed = sign(
        SECRET,
        id=request.headers["webhook-id"],
        timestamp=int(request.headers["webhook-timestamp"]),
        body=request.body,
    )
    assert request.headers["webhook-signature"] == signed


def test_without_a_webhook_nothing_is_posted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dtmf.toml").write_text("")
    assert main(["alerts", "test", "--config", str(tmp_path / "dtmf.toml")]) == 1
    assert "alerts.webhook is not set" in capsys.readouterr().out
