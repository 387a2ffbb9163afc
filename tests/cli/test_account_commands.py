"""`dtmf deposits`, `dtmf secret` and `dtmf webhook`."""

import json

from dtmf import DTMF
from support.cli_process import Refused, Run


def test_deposits_are_listed(dtmf: DTMF, run: Run) -> None:
    assert "No deposits" in run("deposits").out or dtmf.deposits()
    paid = dtmf.sandbox.deposit(dtmf.new_address()["address"], 54_321)
    said = run("deposits").out
    assert "54,321" in said
    assert paid["txid"][:8] in said
    assert json.loads(run("deposits", "--json").out) == dtmf.deposits()


def test_the_secret_is_printed_and_rotated(dtmf: DTMF, run: Run) -> None:
    before = dtmf.webhook_secret()
    assert run("secret").out == f"{before}\n"
    after = run("secret", "--rotate").out.strip()
    assert after != before
    assert after == dtmf.webhook_secret() == json.loads(run("secret", "--json").out)


def test_the_accounts_webhook_is_shown_set_and_removed(dtmf: DTMF, run: Run, refused: Refused) -> None:
    assert "No URL" in run("webhook").out
    assert run("webhook", "https://example.org/low").out == "https://example.org/low\n"
    assert dtmf.account_webhook() == json.loads(run("webhook", "--json").out) == "https://example.org/low"
    assert refused("webhook", "nonsense")[0] == 2
    assert "No URL" in run("webhook", "none").out
    assert dtmf.account_webhook() is None


def test_parked_deliveries_are_retried_by_time(dtmf: DTMF, run: Run, refused: Refused) -> None:
    assert run("deliveries", "retry", "--since", "2026-01-01").out == "0 deliveries are queued again.\n"
    assert run("deliveries", "retry", "--since", "2026-01-01T10:00:00", "--json").out == "0\n"
    assert refused("deliveries", "retry")[0] == refused("deliveries", "retry", "1", "--since", "2026-01-01")[0] == 2
    assert refused("deliveries", "retry", "--since", "yesterday")[0] == 2
