"""Twilio's own SDK works against the simulated Twilio, so what our client is tested with is Twilio's API."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from support.providers.twilio import TOKEN, Twilio
from support.twilio_carrier import CALLBACK_URL, OURS, PHONE


@pytest.fixture
def sdk(provider: Twilio) -> Iterator[Client]:
    """The SDK, with the simulated Twilio as its base URL."""
    http = TwilioHttpClient(pool_connections=True)
    client = Client(provider.account_sid, TOKEN, http_client=http)
    client.api.base_url = provider.url
    yield client
    http.session.close()


def test_the_sdk_sends_reads_and_pages(provider: Twilio, sdk: Client) -> None:
    provider.page_max = 2
    sent = sdk.messages.create(to=PHONE, from_=OURS, body="Hello", status_callback=CALLBACK_URL)
    assert (sent.status, sent.direction, sent.body, sent.date_sent) == ("queued", "outbound-api", "Hello", None)
    for number in range(5):
        provider.receive(OURS, PHONE, f"text {number}", call=False)
    assert [message.body for message in sdk.messages.list(to=OURS)] == [f"text {number}" for number in (4, 3, 2, 1, 0)]
    fetched = sdk.messages(sent.sid).fetch()
    assert abs(datetime.now(UTC) - fetched.date_created) < timedelta(minutes=5)
    now = datetime.now(UTC)
    assert len(sdk.messages.list(date_sent_after=now - timedelta(hours=1))) == 5
    assert sdk.messages.list(date_sent_after=now + timedelta(hours=1)) == []
    assert [number.phone_number for number in sdk.incoming_phone_numbers.list()] == [OURS]
    assert sdk.api.v2010.account.balance.fetch().balance == provider.balance


@pytest.mark.parametrize(("to", "code", "status"), [("12", 21211, 400), ("+14155550999", 21610, 400)])
def test_the_sdk_reads_the_errors(provider: Twilio, sdk: Client, to: str, code: int, status: int) -> None:
    provider.opted_out.add("+14155550999")
    with pytest.raises(TwilioRestException) as refused:
        sdk.messages.create(to=to, from_=OURS, body="Hello")
    assert (refused.value.code, refused.value.status) == (code, status)
    with pytest.raises(TwilioRestException) as unknown:
        sdk.messages("SM" + "0" * 32).fetch()
    assert unknown.value.code == 20404
    provider.read_faults.append("revoked")
    with pytest.raises(TwilioRestException) as unauthorized:
        sdk.messages("SM" + "0" * 32).fetch()
    assert (unauthorized.value.code, unauthorized.value.status) == (20003, 401)


def test_the_sdk_accepts_the_simulated_callbacks(provider: Twilio) -> None:
    posted: list[tuple[str, bytes, dict[str, str]]] = []
    provider.numbers[OURS].sms_url = CALLBACK_URL
    provider.post_raw = lambda url, body, _, headers: posted.append((url, body, headers)) or (204, b"", "")  # type: ignore[method-assign, func-returns-value]  # recorded, not sent
    sms = provider.receive(OURS, PHONE, "Your code is 123456 & 漢字")
    sms.status_callback = f"{CALLBACK_URL}?message=7"
    provider.report(sms, "delivered")
    provider.post_json(CALLBACK_URL, b'{"Body": "hello"}')
    validator = RequestValidator(TOKEN)
    fields = dict(provider.inbound_fields(sms))
    assert validator.validate(posted[0][0], fields, posted[0][2]["X-Twilio-Signature"])
    assert validator.validate(posted[2][0], posted[2][1].decode(), posted[2][2]["X-Twilio-Signature"])
    assert not validator.validate(posted[1][0], fields, posted[1][2]["X-Twilio-Signature"])
