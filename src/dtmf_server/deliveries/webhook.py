"""The webhook: what is posted, and where."""

from typing import Protocol

import msgspec

from dtmf_server.deliveries import destination
from dtmf_server.deliveries.post import Outcome, Poster


class Sms(Protocol):
    """What a webhook says of an SMS, and where."""

    @property
    def message_id(self) -> int: ...
    @property
    def e164(self) -> str: ...
    @property
    def sender(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def destination(self) -> str: ...


def body(sms: Sms) -> bytes:
    """The documented JSON body, exactly: id, e164, sender, content."""
    return msgspec.json.encode({"id": sms.message_id, "e164": sms.e164, "sender": sms.sender, "content": sms.text})


async def post(poster: Poster, sms: Sms, *, sandbox: bool) -> Outcome:
    """One POST of the SMS to its webhook. The URL is vetted again: what was allowed may not be any more."""
    try:
        parsed = destination.parse(sms.destination, sandbox=sandbox)
    except ValueError as error:
        return Outcome(status=None, reason=str(error))
    return await poster.post(parsed, body(sms), {})
