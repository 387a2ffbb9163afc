"""Numbers at the simulated Twilio: searched, bought, found after a lost answer, and given back; the SDK does the same."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from dtmf_server.carriers.base import CarrierRefused, NumberOffer, SellsNumbers
from dtmf_server.carriers.twilio.carrier import TwilioCarrier
from support.providers.number_market import Market
from support.providers.twilio import TOKEN, Twilio
from support.twilio_carrier import CALLBACK_URL, OURS

FOR_SALE = [f"+1305555{n:04d}" for n in range(5)]
AT_US = 1_700_000_000_000_000


@pytest.fixture
def market(provider: Twilio) -> Market:
    provider.market = Market(lambda: AT_US, [*FOR_SALE])
    return provider.market


@pytest.fixture
def carrier(make: Callable[..., TwilioCarrier], market: Market) -> TwilioCarrier:
    return make()


def offer(e164: str = FOR_SALE[0]) -> NumberOffer:
    return NumberOffer(e164, Decimal(0), Decimal("1.15"), "USD")


def refused(carrier: TwilioCarrier, e164: str = FOR_SALE[0]) -> CarrierRefused:
    with pytest.raises(CarrierRefused) as found:
        asyncio.run(carrier.order(offer(e164), reference="dtmf-1-1"))
    return found.value


def test_a_number_is_searched_bought_listed_and_given_back(
    carrier: TwilioCarrier, market: Market, provider: Twilio
) -> None:
    async def story() -> None:
        offers = await carrier.offers("us", kind="mobile", limit=3)
        assert offers == [NumberOffer(e164, Decimal(0), Decimal("1.15"), "USD") for e164 in FOR_SALE[:3]]
        assert await carrier.find(FOR_SALE[0], reference="dtmf-1-1") is None
        await carrier.order(offers[0], reference="dtmf-1-1")
        assert market.owned[FOR_SALE[0]].reference == "dtmf-1-1"
        assert provider.numbers[FOR_SALE[0]].sms_url == CALLBACK_URL
        found = await carrier.find(FOR_SALE[0], reference="dtmf-1-1")
        assert found is not None and found.bought_us == AT_US
        assert sorted(number.e164 for number in await carrier.owned()) == sorted([OURS, FOR_SALE[0]])
        for _ in range(2):
            await carrier.release(FOR_SALE[0])
        assert not market.owned

    assert isinstance(carrier, SellsNumbers)
    asyncio.run(story())


def test_refusals_say_whether_the_number_or_the_account_is_at_fault(carrier: TwilioCarrier, market: Market) -> None:
    market.for_sale.remove(FOR_SALE[0])
    gone = refused(carrier)
    assert (gone.permanent, gone.may_be_taken) == (True, False)
    market.money = Decimal(1)
    empty = refused(carrier, FOR_SALE[1])
    assert (empty.permanent, empty.may_be_taken) == (False, False)
    market.needs_address = True
    assert all(each.needs_address for each in asyncio.run(carrier.offers("us", kind="local", limit=3)))
    address = refused(carrier, FOR_SALE[1])
    assert (address.permanent, address.may_be_taken) == (False, False)
    assert "address" in address.reason


@pytest.mark.parametrize("fault", ["lost", "500_after", "html_200_after", "truncated", "500", "close"])
def test_an_order_without_an_answer_is_in_doubt_and_the_list_decides(
    carrier: TwilioCarrier, market: Market, provider: Twilio, fault: str
) -> None:
    provider.buy_faults.append(fault)
    if fault == "html_200_after":  # not Twilio's success: what it means is asked
        with pytest.raises(CarrierRefused):
            asyncio.run(carrier.order(offer(), reference="r"))
    else:
        assert refused(carrier).may_be_taken
    found = asyncio.run(carrier.find(FOR_SALE[0], reference="r"))
    assert (found is not None) == (FOR_SALE[0] in market.owned) == (fault not in ("500", "close"))


def test_the_sdk_searches_buys_and_gives_back(provider: Twilio, market: Market) -> None:
    http = TwilioHttpClient(pool_connections=True)
    sdk = Client(provider.account_sid, TOKEN, http_client=http)
    sdk.api.base_url = sdk.pricing.base_url = provider.url
    try:
        (first, *_) = sdk.available_phone_numbers("US").mobile.list(sms_enabled=True, limit=2)
        assert (first.phone_number, first.address_requirements) == (FOR_SALE[0], "none")
        (local, mobile) = sdk.pricing.v1.phone_numbers.countries("US").fetch().phone_number_prices
        assert (local["number_type"], mobile["current_price"]) == ("local", "1.15")
        bought = sdk.incoming_phone_numbers.create(phone_number=first.phone_number, friendly_name="dtmf-1-1")
        assert (bought.phone_number, bought.friendly_name) == (FOR_SALE[0], "dtmf-1-1")
        (found,) = sdk.incoming_phone_numbers.list(phone_number=FOR_SALE[0])
        assert found.sid == bought.sid and found.date_created is not None
        with pytest.raises(TwilioRestException) as gone:
            sdk.incoming_phone_numbers.create(phone_number=FOR_SALE[0])
        assert gone.value.code == 21422
        assert sdk.incoming_phone_numbers(bought.sid).delete() and not market.owned
    finally:
        http.session.close()
