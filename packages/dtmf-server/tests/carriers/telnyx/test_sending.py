"""Each SMS is accepted by Telnyx at most once, and the carrier says truthfully what happened to it."""

from dataclasses import replace

import pytest

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused
from dtmf_server.carriers.telnyx.error_codes import CODES
from dtmf_server.core.receipt_refs import exact

from .conftest import CALLBACK_URL, Line, carrier_of

SMS = CarrierMessage("+12025550200", "+31612345678", "canary 1234")


async def refusal(line: Line) -> CarrierRefused:
    async with line.running() as carrier:
        with pytest.raises(CarrierRefused) as refused:
            await carrier.submit(7, SMS)
    return refused.value


async def test_an_sms_is_sent_with_our_message_id_in_its_webhook_url(line: Line) -> None:
    async with line.running() as carrier:
        refs = await carrier.submit(7, SMS)
        await carrier.submit(8, SMS)
    first, second = line.provider.sent
    assert refs == [exact(first["id"])]
    assert (first["from"]["phone_number"], first["to"][0]["phone_number"], first["text"]) == (
        SMS.sender,
        SMS.to,
        SMS.text,
    )
    assert (first["webhook_url"], second["webhook_url"]) == (f"{CALLBACK_URL}?message=7", f"{CALLBACK_URL}?message=8")
    assert [sent["use_profile_webhooks"] for _, _, sent in line.provider.requests] == [False, False]
    (link,) = line.carrier.traffic()
    assert (link.state, link.submitted, link.errors) == ("bound", 2, 0)


async def test_without_a_public_url_an_sms_has_no_webhook(line: Line) -> None:
    async with replace(line, carrier=carrier_of(line.provider, callback_url=None)).running() as carrier:
        await carrier.submit(7, SMS)
    assert "webhook_url" not in line.provider.requests[0][2]


@pytest.mark.parametrize("fault", ["lost", "truncated", "html accepted", "dropped", "html", "redirect"])
async def test_a_lost_reply_is_asked_for_again_and_nothing_is_sent_twice(line: Line, fault: str) -> None:
    line.provider.faults.append(fault)
    async with line.running() as carrier:
        refs = await carrier.submit(7, SMS)
    assert [exact(each["id"]) for each in line.provider.sent] == refs
    assert len({headers["idempotency-key"] for _, headers, _ in line.provider.requests}) == 1


@pytest.mark.parametrize(
    "second", ["lost", "dropped", "500", "500 accepted", "html", "10011", "10009", "40310", "20100"]
)
@pytest.mark.parametrize("first", ["lost", "truncated"])
async def test_an_sms_stays_in_doubt_when_the_repetition_fails_too(line: Line, first: str, second: str) -> None:
    line.provider.faults.extend([first, second])
    refused = await refusal(line)
    assert refused.in_doubt
    assert not refused.permanent
    assert len(line.provider.sent) == 1


@pytest.mark.parametrize("faults", [["silent"], ["silent", "silent"]])
async def test_a_provider_that_never_answers_is_not_waited_for_and_sends_once(
    line: Line, faults: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line.carrier._api, "_timeout_s", 3.0)
    line.provider.faults.extend(faults)
    async with line.running() as carrier:
        if len(faults) == 1:
            assert await carrier.submit(7, SMS) == [exact(line.provider.sent[0]["id"])]
        else:
            with pytest.raises(CarrierRefused) as refused:
                await carrier.submit(7, SMS)
            assert refused.value.in_doubt
    assert len(line.provider.sent) == 1


@pytest.mark.parametrize("fault", ["500", "500 accepted"])
async def test_a_server_error_leaves_the_sms_in_doubt_and_is_not_repeated(line: Line, fault: str) -> None:
    line.provider.faults.append(fault)
    refused = await refusal(line)
    assert refused.in_doubt
    assert len(line.provider.requests) == 1
    assert line.carrier.traffic()[0].state == "failing"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("40310", "the destination is not a valid number (Telnyx 40310)"),
        ("40300", "the recipient has opted out of SMS from this number (Telnyx 40300)"),
        ("40305", "this number is not in the messaging profile (Telnyx 40305)"),
        ("40010", "this number is not registered for sending to US phones (10DLC) (Telnyx 40010)"),
        ("49999", "An error of tomorrow (Telnyx 49999)"),
    ],
)
async def test_a_refusal_for_good_has_its_reason_and_leaves_the_link_up(line: Line, fault: str, reason: str) -> None:
    line.provider.faults.append(fault)
    refused = await refusal(line)
    assert (refused.reason, refused.permanent, refused.may_be_taken) == (reason, True, False)
    assert line.carrier.traffic()[0].state == "bound"
    assert not line.provider.sent


@pytest.mark.parametrize("fault", ["10011", "40318", "10009", "10010", "20002", "20100", "40333"])
async def test_a_fault_of_the_account_or_its_rate_is_temporary_and_shown_on_the_link(line: Line, fault: str) -> None:
    line.provider.faults.append(fault)
    refused = await refusal(line)
    assert (refused.permanent, refused.may_be_taken) == (False, False)
    link = line.carrier.traffic()[0]
    assert (link.state, link.reason) == ("failing", refused.reason)


async def test_a_carrier_that_asks_for_a_pause_is_skipped_until_it_ends(line: Line) -> None:
    line.provider.faults.append("10011")
    line.provider.retry_after_s = 60
    async with line.running() as carrier:
        with pytest.raises(CarrierRefused):
            await carrier.submit(7, SMS)
        assert not carrier.can_submit()


async def test_a_revoked_key_and_an_empty_account_stop_sending_without_losing_the_sms(line: Line) -> None:
    line.provider.api_key = "KEY_of_another_account"
    async with line.running() as carrier:
        for _ in range(3):
            with pytest.raises(CarrierRefused) as refused:
                await carrier.submit(7, SMS)
            assert (refused.value.permanent, refused.value.may_be_taken) == (False, False)
        assert not carrier.can_submit()
    assert line.carrier.traffic()[0].reason == "Telnyx refuses the API key (Telnyx 10009)"


async def test_nothing_is_in_doubt_while_telnyx_cannot_be_reached(line: Line) -> None:
    carrier = carrier_of(replace(line.provider, url="http://127.0.0.1:1"))
    refused = await refusal(replace(line, carrier=carrier))
    assert (refused.permanent, refused.may_be_taken) == (False, False)


async def test_a_carrier_that_is_not_running_sends_nothing(line: Line) -> None:
    with pytest.raises(CarrierRefused) as refused:
        await line.carrier.submit(7, SMS)
    assert (refused.value.permanent, refused.value.may_be_taken) == (False, False)
    assert not line.provider.requests


async def test_the_trace_has_neither_the_text_nor_the_key(line: Line) -> None:
    line.trace.is_on = True
    async with line.running() as carrier:
        await carrier.submit(7, SMS)
    shown = "\n".join(entry.text for entry in line.trace.take())
    assert "+316…78" in shown and SMS.to not in shown
    assert "canary" not in shown
    assert line.provider.api_key not in shown


def test_every_code_has_words_that_a_renter_can_read() -> None:
    for code, (_, words) in CODES.items():
        assert code.isdigit()
        assert words == words.strip().removesuffix(".")
        assert len(words) < 80
