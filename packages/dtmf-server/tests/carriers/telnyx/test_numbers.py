"""Numbers at the simulated Telnyx: ordered asynchronously, found by our reference, and given back; the SDK does the same."""

import asyncio
import warnings
from decimal import Decimal

import pytest

from dtmf_server.carriers.base import CarrierRefused, NumberOffer, OwnedNumber, SellsNumbers
from support.providers.number_market import Market
from support.providers.telnyx import Telnyx

from .conftest import Line

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import telnyx as sdk

FOR_SALE = [f"+1305555{n:04d}" for n in range(5)]
AT_US = 1_700_000_000_000_000


@pytest.fixture
def market(provider: Telnyx) -> Market:
    provider.market = Market(lambda: AT_US, [*FOR_SALE])
    return provider.market


def offer(e164: str = FOR_SALE[0]) -> NumberOffer:
    return NumberOffer(e164, Decimal(0), Decimal("1.15"), "USD")


def refused(line: Line, e164: str = FOR_SALE[0]) -> CarrierRefused:
    with pytest.raises(CarrierRefused) as found:
        asyncio.run(line.carrier.order(offer(e164), reference="dtmf-1-1"))
    return found.value


def test_a_number_is_searched_ordered_listed_and_given_back(line: Line, market: Market) -> None:
    carrier = line.carrier

    async def story() -> None:
        offers = await carrier.offers("us", kind="mobile", limit=3)
        assert offers == [NumberOffer(e164, Decimal(0), Decimal("1.15"), "USD") for e164 in FOR_SALE[:3]]
        assert await carrier.find(FOR_SALE[0], reference="dtmf-1-1") is None
        await carrier.order(offers[0], reference="dtmf-1-1")
        assert await carrier.find(FOR_SALE[0], reference="dtmf-1-1") == OwnedNumber(FOR_SALE[0], AT_US)
        assert await carrier.owned() == [OwnedNumber(FOR_SALE[0], AT_US)]
        for _ in range(2):
            await carrier.release(FOR_SALE[0])
        assert not market.owned

    assert isinstance(carrier, SellsNumbers)
    asyncio.run(story())


def test_a_pending_order_is_neither_ours_nor_refused(line: Line, market: Market, provider: Telnyx) -> None:
    provider.pending = 2
    for e164, is_sold_elsewhere in ((FOR_SALE[0], False), (FOR_SALE[1], True)):
        reference = f"dtmf-{e164[-1]}"
        asyncio.run(line.carrier.order(offer(e164), reference=reference))
        with pytest.raises(CarrierRefused, match="pending"):
            asyncio.run(line.carrier.find(e164, reference=reference))
        if is_sold_elsewhere:
            market.for_sale.remove(e164)
        provider.process()
        found = asyncio.run(line.carrier.find(e164, reference=reference))
        assert (found is None) is is_sold_elsewhere


@pytest.mark.parametrize("fault", ["lost", "truncated", "500 accepted", "dropped", "500"])
def test_an_order_without_an_answer_is_in_doubt_and_repeating_it_buys_nothing_twice(
    line: Line, market: Market, provider: Telnyx, fault: str
) -> None:
    provider.buy_faults.append(fault)
    if fault == "truncated":
        asyncio.run(_ordered_or_refused(line))
    else:
        assert refused(line).may_be_taken
    asyncio.run(line.carrier.order(offer(), reference="dtmf-1-1"))
    assert market.purchases == [FOR_SALE[0]]


async def _ordered_or_refused(line: Line) -> None:
    try:
        await line.carrier.order(offer(), reference="dtmf-1-1")
    except CarrierRefused as error:
        assert error.may_be_taken


def test_refusals_say_whether_the_number_or_the_account_is_at_fault(line: Line, market: Market) -> None:
    market.for_sale.remove(FOR_SALE[0])
    gone = refused(line)
    assert (gone.permanent, gone.may_be_taken) == (True, False)
    market.money = Decimal(1)
    empty = refused(line, FOR_SALE[1])
    assert (empty.permanent, empty.may_be_taken) == (False, False)
    market.needs_address = True
    assert all(each.needs_address for each in asyncio.run(line.carrier.offers("de", kind="local", limit=3)))


def test_the_sdk_searches_orders_and_gives_back(provider: Telnyx, market: Market) -> None:
    with sdk.Telnyx(
        api_key=provider.api_key, public_key=provider.public_key, base_url=f"{provider.url}/v2", max_retries=0
    ) as client:
        found = client.available_phone_numbers.list(
            filter={"country_code": "US", "phone_number_type": "mobile", "features": ["sms"], "limit": 2}
        ).data
        assert found is not None and found[0].cost_information is not None
        assert (found[0].phone_number, found[0].cost_information.monthly_cost) == (FOR_SALE[0], "1.15")
        assert not client.requirements.list(filter={"country_code": "US", "action": "ordering"}).data
        order = client.number_orders.create(
            phone_numbers=[{"phone_number": FOR_SALE[0]}], customer_reference="dtmf-1-1"
        ).data
        assert order is not None and order.status == "pending"
        (listed,) = client.number_orders.list(filter={"customer_reference": "dtmf-1-1"}).data or []
        assert (listed.status, listed.customer_reference) == ("success", "dtmf-1-1")
        (bought,) = client.phone_numbers.list(filter={"phone_number": FOR_SALE[0]}).data or []
        assert bought.phone_number == FOR_SALE[0] and bought.id is not None
        client.phone_numbers.delete(bought.id)
        assert not market.owned
