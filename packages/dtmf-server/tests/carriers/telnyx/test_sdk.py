"""Telnyx's own SDK works with our simulated Telnyx, and agrees with us on which callbacks are genuine."""

from __future__ import annotations

import random
import warnings
from base64 import b64decode, b64encode
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from dtmf_server.carriers.base import BadSignature, CallbackRefused, CallbackRequest
from support.providers.telnyx import Telnyx

from .conftest import CALLBACK_URL, Line

if TYPE_CHECKING:
    import telnyx

REQUESTS, SEED, AT_S = 1500, 20, 1_700_000_000.0
OURS, PHONE = "+12025550200", "+31612345678"


@pytest.fixture(scope="module")
def sdk() -> ModuleType:
    """The SDK. It takes seconds to import, so only the process that runs these tests imports it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import telnyx
        import telnyx.lib.webhook_verification
    return telnyx


@pytest.fixture
def client(sdk: ModuleType, provider: Telnyx) -> Iterator[telnyx.Telnyx]:
    with sdk.Telnyx(
        api_key=provider.api_key, public_key=provider.public_key, base_url=f"{provider.url}/v2", max_retries=0
    ) as found:
        yield found


def test_the_sdk_sends_and_looks_up_what_it_sent(client: telnyx.Telnyx, provider: Telnyx) -> None:
    sent = client.messages.send(
        from_=OURS,
        to=PHONE,
        text="hi",
        messaging_profile_id=provider.profile_id,
        use_profile_webhooks=False,
        webhook_url=f"{CALLBACK_URL}?message=7",
        type="SMS",
        idempotency_key="one",
    ).data
    assert sent is not None
    assert sent.id in provider.messages
    assert sent.to is not None
    assert (sent.to[0].phone_number, sent.to[0].status, sent.text) == (PHONE, "queued", "hi")
    assert sent.webhook_url == f"{CALLBACK_URL}?message=7"
    found = client.messages.retrieve(sent.id).data
    assert found is not None
    assert found.id == sent.id  # type: ignore[union-attr]  # inbound or outbound


def test_the_sdk_reads_the_balance_the_profile_and_its_numbers(client: telnyx.Telnyx, provider: Telnyx) -> None:
    balance, profile = client.balance.retrieve().data, client.messaging_profiles.retrieve(provider.profile_id).data
    assert balance is not None
    assert (balance.available_credit, balance.currency) == ("25.00", "USD")
    assert profile is not None
    assert (profile.enabled, profile.webhook_url, profile.webhook_api_version) == (True, CALLBACK_URL, "2")
    numbers = client.messaging_profiles.list_phone_numbers(provider.profile_id, page_size=10)
    assert [each.phone_number for each in numbers] == provider.numbers


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("10009", "AuthenticationError"),
        ("10010", "PermissionDeniedError"),
        ("10011", "RateLimitError"),
        ("40310", "BadRequestError"),
        ("49999", "UnprocessableEntityError"),
        ("500", "InternalServerError"),
        ("lost", "APIConnectionError"),
    ],
)
def test_the_sdk_knows_each_error(
    sdk: ModuleType, client: telnyx.Telnyx, provider: Telnyx, fault: str, error: str
) -> None:
    provider.faults.append(fault)
    with pytest.raises(getattr(sdk, error)):
        client.messages.send(from_=OURS, to=PHONE, text="hi")


def test_the_sdk_sends_once_when_it_retries_with_its_idempotency_key(sdk: ModuleType, provider: Telnyx) -> None:
    provider.faults.append("lost")
    with sdk.Telnyx(api_key=provider.api_key, base_url=f"{provider.url}/v2", max_retries=1) as client:
        client.messages.send(from_=OURS, to=PHONE, text="hi", idempotency_key="one")
    assert len(provider.sent) == 1


def test_the_sdk_reads_our_simulated_callbacks(client: telnyx.Telnyx, provider: Telnyx) -> None:
    headers, body = provider.signed(provider.received(OURS, PHONE, "Your code is 1234"))
    event = client.webhooks.unwrap(body.decode(), headers=headers)
    assert event.data.event_type == "message.received"  # type: ignore[union-attr]  # one of many kinds
    assert event.data.payload.text == "Your code is 1234"  # type: ignore[union-attr]  # the same
    sent = provider._accept({"from": OURS, "to": PHONE, "text": "hi", "webhook_url": CALLBACK_URL})
    headers, body = provider.signed(provider.state(sent["id"], "delivered"))
    assert client.webhooks.unwrap(body.decode(), headers=headers).data.event_type == "message.finalized"  # type: ignore[union-attr]  # the same


def variants(provider: Telnyx, chance: random.Random) -> Iterator[tuple[dict[str, str], bytes]]:
    """Genuine requests, and such with one thing changed."""
    for _ in range(REQUESTS):
        text = "".join(chance.choices('aé€😀|\n\\"0 ', k=chance.randrange(30)))
        headers, body = provider.signed(provider.received(OURS, PHONE, text))
        now = int(provider.clock())
        change = chance.randrange(9)
        if change == 1:
            headers, _ = provider.sign(body, timestamp=str(now + chance.choice([-3600, -302, -290, 0, 290, 302, 3600])))
        if change == 2:
            place = chance.randrange(len(body))
            body = body[:place] + bytes([body[place] ^ (1 << chance.randrange(7))]) + body[place + 1 :]
        if change == 3:
            signature = bytearray(b64decode(headers["telnyx-signature-ed25519"]))
            signature[chance.randrange(64)] ^= 1 << chance.randrange(8)
            headers["telnyx-signature-ed25519"] = b64encode(signature).decode()
        if change == 4:
            headers["telnyx-signature-ed25519"] = headers["telnyx-signature-ed25519"][: chance.randrange(88)]
        if change == 5:
            del headers[chance.choice(["telnyx-timestamp", "telnyx-signature-ed25519"])]
        if change == 6:
            headers["telnyx-timestamp"] = chance.choice([str(now + 1), "now", "", f"{now}.0", f"{now}x"])
        if change == 7:
            body = chance.choice([body + b" ", body[1:], b"", body.replace(b"data", b"Data")])
        yield headers, body


def test_our_verification_and_the_sdk_agree_on_generated_requests(
    sdk: ModuleType, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook_verification = sdk.lib.webhook_verification
    monkeypatch.setattr(webhook_verification, "time", SimpleNamespace(time=lambda: AT_S))
    line.provider.clock = lambda: AT_S
    counts = {True: 0, False: 0}
    for headers, body in variants(line.provider, random.Random(SEED)):
        try:
            webhook_verification.verify_webhook_signature(body, headers, line.provider.public_key)
            genuine = True
        except webhook_verification.WebhookVerificationError:
            genuine = False
        try:
            line.carrier.parse(CallbackRequest("POST", CALLBACK_URL, headers, body, round(AT_S * 1e6)))
            ours = True
        except BadSignature:
            ours = False
        except CallbackRefused:
            ours = True  # genuine, and not an event
        assert ours == genuine, (SEED, headers, body)
        counts[ours] += 1
    assert min(counts.values()) > REQUESTS // 4, counts
