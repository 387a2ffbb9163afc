"""`carriers check` finds what is set up wrong at Telnyx, and says how to fix it."""

from typing import Any

import pytest

from dtmf_server.carriers.base import CheckResult
from support.providers.telnyx import Telnyx

from .conftest import carrier_of


async def checked(provider: Telnyx, **options: Any) -> dict[str, CheckResult]:
    return {result.name: result for result in await carrier_of(provider, **options).check()}


async def test_everything_is_well(provider: Telnyx) -> None:
    provider.webhook_failover_url = "https://second.example/callbacks/carriers/telnyx"
    results = await checked(provider)
    assert {name: result.is_ok for name, result in results.items()} == {
        "API key": True,
        "balance": True,
        "messaging profile": True,
        "webhook": True,
        "failover URL": True,
        "numbers": True,
        "public key": None,
    }
    assert results["balance"].detail == "25.00 USD"
    assert results["numbers"].detail == "1 in the profile, 1 of them in the catalog"
    assert not [result for result in results.values() if result.is_ok and result.fix]


@pytest.mark.parametrize(
    ("account", "name", "detail"),
    [
        ({"balance": "0.00"}, "balance", "0.00 USD"),
        ({"balance": "-3.10"}, "balance", "-3.10 USD"),
        ({"profile": {"enabled": False}}, "messaging profile", "'Rentals' is disabled"),
        ({"profile": {"redaction_enabled": True}}, "messaging profile", "'Rentals' removes the texts of received SMS"),
        ({"webhook_url": None}, "webhook", "its URL is not set"),
        ({"webhook_url": "https://other.example"}, "webhook", "its URL is https://other.example"),
        ({"profile": {"webhook_api_version": "1"}}, "webhook", "its API version is 1"),
        ({"numbers": []}, "numbers", "the messaging profile has none"),
    ],
)
async def test_each_fault_is_found_and_has_a_fix(
    provider: Telnyx, account: dict[str, Any], name: str, detail: str
) -> None:
    for field, value in account.items():
        setattr(provider, field, value)
    result = (await checked(provider))[name]
    assert (result.is_ok, result.detail) == (False, detail)
    assert result.fix


async def test_a_profile_that_redacts_only_records_is_well(provider: Telnyx) -> None:
    provider.profile = {"redaction_enabled": True, "redaction_level": 1}
    assert (await checked(provider))["messaging profile"].is_ok


async def test_a_wrong_key_is_the_first_thing_to_fix(provider: Telnyx) -> None:
    carrier = carrier_of(provider)
    provider.api_key = "KEY_revoked"
    (result,) = await carrier.check()
    assert (result.name, result.is_ok, result.detail) == ("API key", False, "Telnyx refuses the API key (Telnyx 10009)")


async def test_an_unknown_profile_is_named(provider: Telnyx) -> None:
    carrier = carrier_of(provider)
    provider.profile_id = "another"
    result = [*await carrier.check()][-1]
    assert (result.name, result.is_ok) == ("messaging profile", False)


async def test_numbers_that_are_not_in_the_catalog_are_counted(provider: Telnyx) -> None:
    provider.numbers = ["+12025550200", "+12025550201"]

    async def is_ours(number: str) -> bool:
        return number == "+12025550200"

    result = (await checked(provider, is_ours=is_ours))["numbers"]
    assert (result.is_ok, result.detail) == (True, "2 in the profile, 1 of them in the catalog")
    assert "+12025550201" in result.fix


async def test_without_a_public_url_the_webhook_is_the_fault(provider: Telnyx) -> None:
    result = (await checked(provider, callback_url=None))["webhook"]
    assert (result.is_ok, result.detail) == (False, "server.public_url is not set")


async def test_another_program_at_the_address_is_not_taken_for_telnyx(provider: Telnyx) -> None:
    provider.url += "/elsewhere"
    (result,) = await carrier_of(provider).check()
    assert (result.name, result.is_ok) == ("API key", False)
