"""pytest fixtures that run your tests against a real sandbox. To enable them: `pip install 'dtmf-io[testing]'`.

    def test_signing_in(dtmf):
        number = dtmf.start_rental("us-mobile")["e164"]
        dtmf.sandbox.receive(number, "BANK", "Your code is 428613")
        assert my_app.sign_in(dtmf, number) == "428613"

dtmf: a client of a new account with 1,000,000 satoshis.   dtmf_account: that account: url, token, clients.
dtmf_environment: the same, in DTMF_URL and DTMF_TOKEN.     dtmf_clock: the sandbox's clock: `advance(seconds)`.
dtmf_sandbox: the sandbox itself, one for all tests of a process: `new_account(balance=…)`.

pytest loads this module in every run, so it imports only modules that pytest loads anyway; sandbox.py does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dtmf import DTMF

    from .sandbox import Account, Clock, Sandbox


@pytest.fixture(scope="session")
def dtmf_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox for all tests of this process, with url, token, new_account(balance=…) and clock."""
    from . import sandbox  # noqa: PLC0415  # imported only where it is used

    with sandbox.running(tmp_path_factory.mktemp("dtmf")) as started:
        yield started


@pytest.fixture
def dtmf_account(dtmf_sandbox: Sandbox) -> Account:
    """A new account with 1,000,000 satoshis, for this test only."""
    return dtmf_sandbox.new_account()


@pytest.fixture
def dtmf(dtmf_account: Account) -> Iterator[DTMF]:
    """A client of the account."""
    with dtmf_account.client() as client:
        yield client


@pytest.fixture
def dtmf_environment(dtmf_account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The account, also set in DTMF_URL and DTMF_TOKEN, where `DTMF()` and the command `dtmf` find it."""
    monkeypatch.setenv("DTMF_URL", dtmf_account.url)
    monkeypatch.setenv("DTMF_TOKEN", dtmf_account.token)
    return dtmf_account


@pytest.fixture
def dtmf_clock(dtmf_sandbox: Sandbox) -> Clock:
    """The sandbox's clock. `advance(seconds)` returns once everything due by then is done. It never goes back."""
    return dtmf_sandbox.clock
