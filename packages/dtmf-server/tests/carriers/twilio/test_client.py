"""Submits, look-ups and lists against a simulated Twilio that fails in every way it can."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from dtmf_server.carriers import api_client
from dtmf_server.carriers.base import CarrierMessage, CarrierRefused, InboundSink, LinkStats
from dtmf_server.carriers.trace import Trace
from dtmf_server.carriers.twilio import carrier as carrier_module
from dtmf_server.carriers.twilio.carrier import TwilioCarrier
from dtmf_server.core.inbound import InboundMessage, Receipt
from support.providers import twilio
from support.providers.twilio import Twilio, message_id_of
from support.twilio_carrier import OURS, PHONE, carrier_of, real_us

MINUTE_US = 60_000_000
SMS = CarrierMessage(OURS, PHONE, "Hello & goodbye + 漢字")
Make = Callable[..., TwilioCarrier]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait a second for a reply that never comes, and not at all for a message to be listed."""
    monkeypatch.setattr(api_client.ApiClient.__init__, "__kwdefaults__", {
        **api_client.ApiClient.__init__.__kwdefaults__, "timeout_s": 1.0,
    })  # fmt: skip
    monkeypatch.setattr(carrier_module, "LISTED_AFTER_S", 0.0)
    return


@asynccontextmanager
async def running(carrier: TwilioCarrier) -> Any:
    async def receive(*_: object) -> tuple[()]:
        return ()

    task = asyncio.create_task(carrier.run(InboundSink(receive, lambda _: None)))
    asked = asyncio.Event()
    move = carrier.traffic()[0].move

    def moved(*arguments: Any, **named: Any) -> None:
        move(*arguments, **named)
        asked.set()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LinkStats, "move", lambda _, *arguments, **named: moved(*arguments, **named))
        await asked.wait()
    try:
        yield carrier
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def refusal(carrier: TwilioCarrier, sms: CarrierMessage = SMS) -> CarrierRefused:
    with pytest.raises(CarrierRefused) as refused:
        await carrier.submit(7, sms)
    return refused.value


async def test_a_submit_has_everything_and_is_known_by_its_sid(provider: Twilio, make: Make) -> None:
    async with running(make(validity_period_s=600)) as carrier:
        assert carrier.can_submit()
        refs = await carrier.submit(7, SMS)
    (sent,) = provider.outbound()
    assert refs == [f"={sent.sid}"]
    assert (sent.to, sent.sender, sent.body) == (PHONE, OURS, SMS.text)
    assert (message_id_of(sent), sent.form["ValidityPeriod"]) == (7, "600")
    assert carrier.traffic()[0].state == "bound"
    assert not carrier.can_submit()


async def test_an_api_key_and_a_messaging_service_are_used(provider: Twilio, make: Make) -> None:
    provider.keys = {"SKkey": "secret"}
    provider.token = "only for callbacks"
    async with running(make(api_key="SKkey", api_secret="secret", messaging_service_sid="MG1")) as carrier:
        await carrier.submit(7, SMS)
    (sent,) = provider.outbound()
    assert (sent.messaging_service_sid, sent.form["SmartEncoded"], sent.sender) == ("MG1", "false", OURS)


@pytest.mark.parametrize("fault", twilio.BEFORE)
async def test_a_refused_submit_is_tried_again_and_was_not_taken(provider: Twilio, make: Make, fault: str) -> None:
    async with running(make()) as carrier:
        provider.faults.append(fault)
        refused = await refusal(carrier)
        assert not refused.permanent
        assert refused.in_doubt == (fault == "close")
        assert provider.outbound() == []
        await carrier.submit(7, SMS)


@pytest.mark.parametrize("fault", [*twilio.UNCLEAR, *twilio.AFTER])
async def test_a_lost_reply_is_in_doubt_and_never_a_failure(provider: Twilio, make: Make, fault: str) -> None:
    async with running(make()) as carrier:
        provider.faults.append(fault)
        refused = await refusal(carrier)
        assert refused.in_doubt
        assert not refused.permanent
        assert len(provider.outbound()) == (fault in twilio.AFTER)


async def test_nothing_is_taken_where_no_connection_is_made(make: Make) -> None:
    async with running(make(base_url="http://127.0.0.1:9")) as carrier:
        refused = await refusal(carrier)
        assert (refused.permanent, refused.may_be_taken) == (False, False)
        assert carrier.traffic()[0].state == "failing"


@pytest.mark.parametrize(
    ("code", "permanent", "is_fault", "words"),
    [
        (21211, True, False, "the destination is not a valid phone number (Twilio 21211)"),
        (21408, True, False, "the Twilio account may not send to this country (Twilio 21408)"),
        (21610, True, False, "the recipient has opted out of SMS from this number (Twilio 21610)"),
        (21614, True, False, "the destination is not a mobile number (Twilio 21614)"),
        (21606, True, False, "this number can't send SMS (Twilio 21606)"),
        (29999, True, False, "Twilio error 29999"),
        (21611, False, False, "this number has too many SMS queued (Twilio 21611)"),
        (14107, False, False, "too many SMS between these two numbers (Twilio 14107)"),
        (20005, False, True, "the Twilio account is not active (Twilio 20005)"),
        (30002, False, True, "the Twilio account is suspended (Twilio 30002)"),
    ],
)
async def test_codes_are_final_temporary_or_the_fault_of_the_account(
    provider: Twilio, make: Make, code: int, permanent: bool, is_fault: bool, words: str
) -> None:
    async with running(make()) as carrier:
        provider.faults.append(f"code_{code}")
        refused = await refusal(carrier)
        assert (refused.reason, refused.permanent, refused.may_be_taken) == (words, permanent, False)
        assert (carrier.traffic()[0].state == "failing") == is_fault


async def test_revoked_credentials_close_the_link_until_they_work_again(provider: Twilio, make: Make) -> None:
    async with running(make()) as carrier:
        provider.faults.extend(["revoked"] * 3)
        for _ in range(3):
            assert not (await refusal(carrier)).permanent
        assert not carrier.can_submit()
        assert carrier.traffic()[0].reason == "Twilio refuses the credentials (Twilio 20003)"


@pytest.mark.parametrize("fault", ["lost", "500_after", "html_200_after", "truncated"])
async def test_a_submit_in_doubt_is_found_by_its_text(provider: Twilio, make: Make, fault: str) -> None:
    async with running(make()) as carrier:
        began_us = real_us()
        provider.faults.append(fault)
        assert (await refusal(carrier)).in_doubt
        (sent,) = provider.outbound()
        assert await carrier.find_submit(7, SMS, since_us=began_us) == [f"={sent.sid}"]
        other = CarrierMessage(OURS, PHONE, "Hello")
        with pytest.raises(CarrierRefused, match="does not list the SMS yet"):
            await carrier.find_submit(8, other, since_us=began_us)
        assert await carrier.find_submit(8, other, since_us=began_us - 6 * MINUTE_US) is None


async def test_a_submit_that_is_listed_late_is_unknown_and_not_absent(provider: Twilio, make: Make) -> None:
    async with running(make()) as carrier:
        provider.faults.append("lost")
        provider.lists_new = False
        began_us = real_us()
        await refusal(carrier)
        with pytest.raises(CarrierRefused):
            await carrier.find_submit(7, SMS, since_us=began_us)
        provider.lists_new = True
        assert await carrier.find_submit(7, SMS, since_us=began_us)


async def test_two_sms_that_fit_are_unknown_unless_one_is_anothers(provider: Twilio, make: Make) -> None:
    async with running(make()) as carrier:
        began_us = real_us()
        await carrier.submit(6, SMS)
        provider.faults.append("lost")
        await refusal(carrier)
        assert await carrier.find_submit(7, SMS, since_us=began_us) == [f"={provider.outbound()[1].sid}"]
    async with running(make()) as restarted:
        with pytest.raises(CarrierRefused, match="more than one fits"):
            await restarted.find_submit(7, SMS, since_us=began_us)


async def test_a_text_that_the_provider_does_not_keep_is_unknown(provider: Twilio, make: Make) -> None:
    async with running(make()) as carrier:
        provider.faults.append("lost")
        began_us = real_us()
        await refusal(carrier)
        provider.outbound()[0].body = ""
        with pytest.raises(CarrierRefused):
            await carrier.find_submit(7, SMS, since_us=began_us - 6 * MINUTE_US)


async def test_more_pages_than_are_read_are_unknown(
    provider: Twilio, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.page_max = 2
    async with running(make()) as carrier:
        for number in range(12):
            await carrier.submit(number, CarrierMessage(OURS, PHONE, f"text {number}"))
        with pytest.raises(CarrierRefused, match="more than 5 pages"):
            await carrier.find_submit(99, SMS, since_us=real_us() - 6 * MINUTE_US)
        for message in provider.outbound()[:8]:
            message.created_us -= 2 * 86_400_000_000
        assert await carrier.find_submit(99, SMS, since_us=real_us() - 6 * MINUTE_US) is None


@pytest.mark.parametrize("fault", ["429", "500", "html_200", "close", "revoked", "garbage_after", "truncated"])
async def test_a_failed_look_up_is_unknown(provider: Twilio, make: Make, fault: str) -> None:
    async with running(make()) as carrier:
        for ask in (
            lambda: carrier.find_submit(7, SMS, since_us=0),
            lambda: carrier.arrived_at("SM" + "a" * 32),
            lambda: anext(carrier.arrived_since(real_us() - MINUTE_US)),
        ):
            provider.read_faults.append(fault)
            with pytest.raises(CarrierRefused):
                await ask()


async def test_the_arrival_is_the_providers_time_without_a_running_carrier(provider: Twilio, make: Make) -> None:
    carrier = make()
    at_us = 1_600_000_000_000_000
    sms = provider.receive(OURS, PHONE, "late", at_us=at_us, call=False)
    assert await carrier.arrived_at(sms.sid) == at_us
    assert await carrier.arrived_at("SM" + "0" * 32) is None


async def test_catch_up_lists_each_sms_once_with_its_time_oldest_first_through_all_pages(provider: Twilio) -> None:
    now_us = 1_700_000_000_000_000
    provider.wall_us = lambda: now_us
    carrier = carrier_of(provider, wall_us=lambda: now_us)
    provider.page_max = 3
    provider.buy("+12025550299")
    provider.buy("+4471111111")
    day_us = 86_400_000_000
    for number in range(20):
        provider.receive(OURS, PHONE, f"{number}", at_us=now_us - 3 * day_us + number * day_us // 7, call=False)
    provider.receive(OURS, PHONE, "too old", at_us=now_us - 4 * day_us, call=False)
    provider.receive("+4471111111", PHONE, "another program's", at_us=now_us - MINUTE_US, call=False)
    provider.receive(OURS, "Bank", "Your code is ***", at_us=now_us - 2 * MINUTE_US, error_code=30038, call=False)
    provider.receive(OURS, PHONE, "", at_us=now_us - MINUTE_US, media=1, call=False)
    async with running(carrier):
        for status, code in (("delivered", None), ("undelivered", 30003), ("queued", None)):
            await carrier.submit(1, SMS)
            sent = provider.outbound()[-1]
            sent.status, sent.error_code, sent.is_sent = status, code, status != "queued"
        found = [item async for page in carrier.arrived_since(now_us - 3 * day_us) for item in page]
    texts = list(dict.fromkeys(item.text for item in found if isinstance(item, InboundMessage)))
    assert texts == [*map(str, range(20)), "Your code is ***", "[MMS with 1 attachment, not shown]"]
    assert {item.received_us for item in found if isinstance(item, InboundMessage) and item.text == "7"} == {
        now_us - 2 * day_us
    }
    assert [item.redacted for item in found if isinstance(item, InboundMessage)].count(True) == 1
    receipts = [(item.delivered, item.reason) for item in found if isinstance(item, Receipt)]
    assert receipts == [(True, ""), (False, "the phone can't be reached (Twilio 30003)")]


async def test_catch_up_can_be_switched_off(provider: Twilio, make: Make) -> None:
    provider.receive(OURS, PHONE, "one", call=False)
    assert [page async for page in make(catch_up=False).arrived_since(0)] == []
    assert provider.requests == []


async def test_signalwire_answers_below_another_path() -> None:
    with Twilio(account_sid="aaaaaaaa-0000-4000-8000-bbbbbbbbbbbb", prefix="/api/laml", uuids=True) as provider:
        provider.buy(OURS)
        provider.page_max = 1
        carrier = carrier_of(provider)
        async with running(carrier):
            await carrier.submit(1, SMS)
            for text in ("one", "two"):
                provider.receive(OURS, PHONE, text, call=False)
            found = [item async for page in carrier.arrived_since(real_us() - MINUTE_US) for item in page]
        assert len([item for item in found if isinstance(item, InboundMessage)]) == 2


async def test_a_trace_has_neither_texts_nor_numbers_nor_secrets(provider: Twilio) -> None:
    trace = Trace(is_on=True)
    async with running(carrier_of(provider, trace=trace)) as carrier:
        await carrier.submit(7, SMS)
        provider.receive(OURS, PHONE, "Your code is 123456", call=False)
        assert [page async for page in carrier.arrived_since(real_us() - MINUTE_US)]
    shown = "\n".join(entry.text for entry in trace.take())
    assert "Messages.json" in shown
    for secret in ("Hello", "123456", PHONE, OURS, PHONE[1:], provider.token):
        assert secret not in shown


async def test_check_explains_what_is_wrong(provider: Twilio, make: Make) -> None:
    provider.numbers[OURS].sms_url = "https://demo.twilio.com/welcome/sms/reply"
    provider.balance, provider.account["type"] = "-0.5", "Trial"
    results = {result.name: result for result in await make(callback_url="http://127.0.0.1:9/cb").check()}
    assert {name: result.is_ok for name, result in results.items()} == {
        "credentials": True, "balance": False, "numbers": True, "webhooks": False, "callback URL": False,
    }  # fmt: skip
    assert OURS in results["webhooks"].detail
    assert "http://127.0.0.1:9/cb" in results["webhooks"].fix
    provider.numbers[OURS].sms_url = "http://127.0.0.1:9/cb#rc=3&rp=all"
    results = {result.name: result for result in await make(callback_url="http://127.0.0.1:9/cb").check()}
    assert results["webhooks"].is_ok
    provider.token = "another"
    results = {result.name: result for result in await carrier_of(provider, auth_token="old").check()}
    assert (results["credentials"].is_ok, "balance" in results) == (False, False)


async def test_a_429_is_honoured_for_as_long_as_it_says(provider: Twilio, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr(api_client, "time", SimpleNamespace(monotonic=lambda: now_s))
    async with running(carrier_of(provider)) as carrier:
        await carrier.submit(6, SMS)
        provider.faults.append("429")  # with Retry-After: 1
        with pytest.raises(CarrierRefused) as refused:
            await carrier.submit(7, SMS)
        assert (refused.value.permanent, refused.value.may_be_taken) == (False, False)
        assert not carrier.can_submit()
        assert [page async for page in carrier.arrived_since(real_us() - MINUTE_US)], "reading is still possible"
        now_s += 0.9
        assert not carrier.can_submit(), "a success meanwhile does not shorten it"
        now_s += 0.2
        assert carrier.can_submit()
        await carrier.submit(7, SMS)
