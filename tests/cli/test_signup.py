"""`dtmf signup`: the token is saved, at once or after a Lightning payment, also by an earlier claim."""

import json
import threading
from pathlib import Path

import pytest

from dtmf import DTMF
from support.cli_process import TOKEN, Refused, Run


@pytest.fixture
def service(dtmf: DTMF, url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the service, with no token in the environment."""
    monkeypatch.delenv("DTMF_TOKEN")
    monkeypatch.delenv("DTMF_URL")
    return url


def test_signup_saves_the_token_of_a_new_account(service: str, run: Run, refused: Refused) -> None:
    said = run("signup", "--url", service)
    assert said.code == 0, said.err
    assert said.out.startswith(f"Signed up at {service}, 0 sats. Saved in ")
    assert run("account", "--json").code == 0
    assert refused("signup", "--url", service) == (1, f"a token for {service} is saved; dtmf logout deletes it")


def test_signup_with_an_amount_waits_for_the_payment(service: str, dtmf: DTMF, run: Run, home: Path) -> None:
    with DTMF(TOKEN, base_url=service) as payer:
        said = run("signup", "--url", service, "--amount", "5k", "--wait", "0s", "--json")
        assert said.code == 0, said.err
        quote = json.loads(said.out)
        threading.Thread(target=payer.sandbox.pay, args=(quote["invoice"],)).start()
        said = run("signup", "--url", service, "--claim", quote["claim"], "--wait", "20s", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out) == {"url": service, "balance": 5000}
    assert json.loads(run("account", "--json").out)["balance"] == 5000


def test_signup_shows_the_invoice_and_how_to_continue(service: str, run: Run, refused: Refused) -> None:
    said = run("signup", "--url", service, "--amount", "700", "--wait", "0s")
    assert said.out.startswith("lnbcrt7u1")
    assert "dtmf signup --claim " in said.out
    claim = said.out.split("--claim ")[1].strip()
    assert refused("signup", "--url", service, "--claim", claim, "--wait", "0.1s")[0] == 8


def test_signup_refuses_what_makes_no_sense(service: str, refused: Refused) -> None:
    assert refused("signup", "--url", service, "--amount", "5k", "--claim", "x")[0] == 2
    assert refused("signup", "--url", service, "--amount", "0")[0] == 2
    code, line = refused("signup", "--url", service, "--claim", "x")
    assert code == 3
    assert "dtmf login" not in line
