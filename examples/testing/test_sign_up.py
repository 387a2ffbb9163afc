"""The suite of sign_up.py. `pip install 'dtmf-io[testing]'`, then `pytest`: no account, no network, no mock.

`dtmf` is a client of an account made for this test alone; the service it talks to is a real one.
"""

import pytest
import sign_up

from dtmf import DTMF, InsufficientFundsError, NotFoundError


def test_the_code_of_the_site_comes_back(dtmf):
    def register(number):
        dtmf.sandbox.receive(number, "MyShop", "Welcome! Use promo code HELLO2026 for orders over $50.")
        dtmf.sandbox.receive(number, "MyShop", "482-913 is your MyShop code. It expires in 10 minutes.")

    assert sign_up.sign_up(dtmf, register) == "482913"
    assert dtmf.numbers() == [], "the number was not given back"


def test_the_number_is_given_back_when_no_code_comes(dtmf):
    with pytest.raises(sign_up.NoCode):
        sign_up.sign_up(dtmf, lambda number: None, patience_s=0.5)
    assert dtmf.numbers() == []


def test_the_number_is_given_back_when_the_site_breaks(dtmf):
    def register(number):
        raise ConnectionError("the site is down")

    with pytest.raises(ConnectionError):
        sign_up.sign_up(dtmf, register)
    assert dtmf.numbers() == []


def test_a_sign_up_costs_what_the_group_says(dtmf):
    before = dtmf.account()["balance"]
    (group,) = [group for group in dtmf.groups("mobile") if group["id"] == sign_up.cheapest_group(dtmf, minutes=5)]
    sign_up.sign_up(dtmf, lambda number: dtmf.sandbox.receive(number, "MyShop", "Your code is 428613"))
    cost = group["setup_cost"] + group["rental_cost_per_minute"] + group["cost_per_inbound_message"]
    assert before - dtmf.account()["balance"] == cost


def test_without_money_nothing_is_registered(dtmf_sandbox):
    told = []
    with dtmf_sandbox.new_account(balance=100).client() as dtmf, pytest.raises(InsufficientFundsError):
        sign_up.sign_up(dtmf, told.append)
    assert told == []


def test_a_number_whose_money_runs_out_is_no_error_at_the_end(dtmf, dtmf_clock):
    with sign_up.borrowed_number(dtmf) as number:
        dtmf_clock.advance(366 * 86_400)  # a year passes in an instant: all minutes are paid until the money is gone
        with pytest.raises(NotFoundError):
            dtmf.number(number)
    assert dtmf.account()["balance"] < 60


def test_the_program_finds_its_account_in_the_environment(dtmf_environment):
    with DTMF() as dtmf:
        sign_up.sign_up(dtmf, lambda number: dtmf.sandbox.receive(number, "MyShop", "Your code is 428613"))
        assert [message["content"] for message in dtmf.messages()] == ["Your code is 428613"]
