"""One interface to the simulated provider of each carrier kind that calls back: an SMS arrives, its request is signed and
posted, and what the service sent is read and reported."""

import json
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlencode

from dtmf_server.carriers.base import SmsCarrier
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.carriers.telnyx.kind import TelnyxCarrier
from dtmf_server.carriers.telnyx.settings import TelnyxSettings
from dtmf_server.carriers.trace import Trace
from harness import FakeWall
from support.android_carrier import NUMBERS, carrier_for, connect
from support.providers import telnyx as telnyx_provider
from support.providers.android import SimulatedPhone, post, received
from support.providers.twilio import Message, Twilio, signature
from support.twilio_carrier import CALLBACK_URL, OURS, PHONE, PUBLIC_URL, carrier_of

Headers = dict[str, str]


class Line(Protocol):
    """The provider of one kind. `can_be_asked`: after a doubt, it knows whether it has an SMS."""

    kind: str
    can_be_asked: bool
    lost: str  # the fault of a submit that is accepted, with a reply that is lost
    path: str  # of its callbacks

    def carrier(self) -> SmsCarrier:
        """Return a carrier as a new process makes it."""

    def arrive(self, text: str, *, to: str = OURS) -> Any:
        """Let an SMS arrive at the provider, which does not post it yet. Return it."""

    def request(self, sms: Any) -> tuple[Headers, bytes]:
        """Return the request for an SMS, signed now."""

    def sign(self, body: bytes) -> Headers:
        """Return the headers of any body, signed now."""

    def post(self, url: str, headers: Headers, body: bytes) -> int:
        """Post a request to the service at `url`. Return the status, 0 for none."""

    def fail_submit(self, fault: str) -> None:
        """Make the next submit fail."""

    def sent(self) -> list[str]:
        """Return the texts that the provider accepted."""

    def report(self, url: str) -> list[int]:
        """Report everything that was accepted as delivered. Return the statuses."""


class TwilioLine:
    """An account at Twilio."""

    kind, can_be_asked, lost, path = "twilio", True, "lost", "/callbacks/carriers/twilio"

    def __init__(self, provider: Twilio, wall: FakeWall) -> None:
        self._provider, self._wall = provider, wall
        provider.wall_us = wall
        provider.buy(OURS)

    def carrier(self) -> SmsCarrier:
        return carrier_of(self._provider, wall_us=self._wall)

    def arrive(self, text: str, *, to: str = OURS) -> Message:
        return self._provider.receive(to, PHONE, text, call=False)

    def request(self, sms: Message) -> tuple[Headers, bytes]:
        fields = self._provider.inbound_fields(sms)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return form | {"X-Twilio-Signature": signature(CALLBACK_URL, fields)}, urlencode(fields).encode()

    def sign(self, body: bytes) -> Headers:
        return {"X-Twilio-Signature": signature(CALLBACK_URL, []), "Content-Type": "text/plain"}

    def post(self, url: str, headers: Headers, body: bytes) -> int:
        return post(url + self.path, body, headers)

    def fail_submit(self, fault: str) -> None:
        self._provider.faults.append(fault)

    def sent(self) -> list[str]:
        return [sms.body for sms in self._provider.outbound()]

    def report(self, url: str) -> list[int]:
        self._provider.reach[PUBLIC_URL] = url
        return [self._provider.report(sms, "delivered") for sms in self._provider.outbound()]


class TelnyxLine:
    """An account at Telnyx."""

    kind, can_be_asked, lost, path = "telnyx", False, "lost", "/callbacks/carriers/telnyx"

    def __init__(self, provider: telnyx_provider.Telnyx, wall: FakeWall) -> None:
        self._provider, self._wall = provider, wall
        provider.clock = lambda: wall.at_us / 1e6

    def carrier(self) -> SmsCarrier:
        provider = self._provider
        keys = {"api_key": provider.api_key, "public_key": provider.public_key, "base_url": provider.url}
        settings = TelnyxSettings(name="telnyx", kind="telnyx", messaging_profile_id=provider.profile_id, **keys)
        return TelnyxCarrier(settings, context_of(self._wall, PUBLIC_URL + self.path), repeat_after_s=0)

    def arrive(self, text: str, *, to: str = OURS) -> telnyx_provider.Callback:
        return self._provider.received(to, PHONE, text)

    def request(self, sms: telnyx_provider.Callback) -> tuple[Headers, bytes]:
        return self._provider.signed(sms)

    def sign(self, body: bytes) -> Headers:
        return self._provider.sign(body)[0]

    def post(self, url: str, headers: Headers, body: bytes) -> int:
        return self._provider.post(url + self.path, headers, body)

    def fail_submit(self, fault: str) -> None:
        # It repeats a request at once, under an Idempotency-Key, so a fault must last.
        self._provider.faults.extend([fault, fault] if fault == "lost" else [fault])

    def sent(self) -> list[str]:
        return [sms["text"] for sms in self._provider.sent]

    def report(self, url: str) -> list[int]:
        states = [self._provider.state(sms["id"], "delivered") for sms in self._provider.sent]
        queries = [(each.message["webhook_url"] or "").partition("?")[2] for each in states]
        posts = zip(states, queries, strict=True)
        return [self._provider.post(f"{url}{self.path}?{query}", *self._provider.signed(each)) for each, query in posts]


class AndroidLine:
    """A phone with the app."""

    kind, can_be_asked, lost, path = "android", True, "lost", "/callbacks/carriers/pixel"

    def __init__(self, phone: SimulatedPhone, wall: FakeWall) -> None:
        self._phone, self._wall = phone, wall
        connect(phone, "http://127.0.0.1:9")

    def carrier(self) -> SmsCarrier:
        return carrier_for(self._phone)

    def arrive(self, text: str, *, to: str = OURS) -> bytes:
        sim = next((int(sim) for sim, number in NUMBERS.items() if number == to), 3)
        self._phone.receive(PHONE, text, sim=sim)
        self._phone.queue.clear()
        payload = received(self._phone.seen[-1])
        event = {"id": f"event {text}", "webhookId": "w", "event": "sms:received", "deviceId": "device-1"}
        return json.dumps({**event, "payload": payload}).encode()

    def request(self, sms: bytes) -> tuple[Headers, bytes]:
        return self._phone.sign(sms), sms

    def sign(self, body: bytes) -> Headers:
        return self._phone.sign(body)

    def post(self, url: str, headers: Headers, body: bytes) -> int:
        return post(url + self.path, body, headers)

    def fail_submit(self, fault: str) -> None:
        self._phone.faults["POST /messages"].append(int(fault) if fault.isdigit() else fault)

    def sent(self) -> list[str]:
        return [text for _, _, text in self._phone.radio]

    def report(self, url: str) -> list[int]:
        connect(self._phone, url)
        self._phone.queue.clear()
        for id_ in [*self._phone.messages]:
            self._phone.report(id_, "Delivered")
        return self._phone.post_due()


def context_of(wall: Callable[[], int], callback_url: str | None) -> CarrierContext:
    """The context that a carrier gets from the service."""

    async def is_ours(e164: str) -> bool:
        return e164 == OURS

    async def service_key() -> bytes:
        return b"key"

    return CarrierContext(
        is_sandbox=True,
        callback_url=callback_url,
        is_ours=is_ours,
        service_key=service_key,
        new_id=lambda: 1,
        uniform=lambda: 0.5,
        wall_us=wall,
        trace=Trace(),
    )
