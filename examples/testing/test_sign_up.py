"""Tests of sign_up.py. Run `pip install 'dtmf-io[testing]'`, then `pytest`: no account, no network, no mock.

The fixture `dtmf` is a client of a new account for each test. It uses a real service.
"""

import pytest
import sign_up

from dtmf import DTMF, InsufficientFundsError, NotFoundError


def test_returns_the_code_of_the_site(dtmf):
    def register(number):
        dtmf.sandbox.receive(number, "MyShop", "Welcome! Use promo code HELLO2026 for orders over $50.")
        dtmf.sandbox.receive(number, "MyShop", "482-913 is your MyShop code. It expires in 10 minutes.")

    assert sign_up.sign_up(dtmf, register) == "482913"
    assert dtmf.numbers() == [], "the number was not returned"


def test_returns_the_number_when_no_code_arrives(dtmf):
    with pytest.raises(sign_up.NoCode):
        sign_up.sign_up(dtmf, lambda number: None, patience_s=0.5)
    assert dtmf.numbers() == []


def test_returns_the_number_when_the_site_fails(dtmf):
    def register(number):
        raise ConnectionError("the site is down")

    with pytest.raises(ConnectionError):
        sign_up.sign_up(dtmf, register)
    assert dtmf.numbers() == []


def test_a_sign_up_costs_the_price_of_the_group(dtmf):
    before = dtmf.account()["balance"]
    (group,) = [group for group in dtmf.groups("mobile") if group["id"] == sign_up.cheapest_group(dtmf, minutes=5)]
    sign_up.sign_up(dtmf, lambda number: dtmf.sandbox.receive(number, "MyShop", "Your code is 428613"))
    cost = group["setup_cost"] + group["rental_cost_per_minute"] + group["cost_per_inbound_message"]
    assert before - dtmf.account()["balance"] == cost


def test_without_a_balance_nothing_is_registered(dtmf_sandbox):
    registered = []
    with dtmf_sandbox.new_account(balance=100).client() as dtmf, pytest.raises(InsufficientFundsError):
        sign_up.sign_up(dtmf, registered.append)
    assert registered == []


def test_a_rental_that_ran_out_of_balance_ends_without_an_error(dtmf, dtmf_clock):
    with sign_up.borrowed_number(dtmf) as number:
        dtmf_clock.advance(366 * 86_400)  # a year later: the balance is spent on minutes
        with pytest.raises(NotFoundError):
            dtmf.number(number)
    assert dtmf.account()["balance"] < 60


def test_the_program_uses_the_account_in_the_environment(dtmf_environment):
    with DTMF() as dtmf:
        sign_up.sign_up(dtmf, lambda number: dtmf.sandbox.receive(number, "MyShop", "Your code is 428613"))
        assert [message["content"] for message in dtmf.messages()] == ["Your code is 428613"]
