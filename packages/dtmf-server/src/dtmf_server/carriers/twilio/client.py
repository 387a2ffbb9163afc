"""Requests to Twilio's API: submit, look up and list messages. Replies become values, or CarrierRefused."""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, TypeVar

import msgspec

from dtmf_server.carriers.api_client import ApiClient, ApiReply, NoReply, NotSent, fault_of
from dtmf_server.carriers.base import CarrierMessage, CarrierRefused
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.carriers.twilio.callbacks import NOT_DELIVERED, code_of
from dtmf_server.carriers.twilio.error_codes import verdict_of, words_of
from dtmf_server.carriers.twilio.settings import TwilioSettings
from dtmf_server.core.submission import Verdict

PAGE_SIZE = 1000  # the most that Twilio returns
MASKED = {"Body", "body", "To", "to", "From", "from", "auth_token"}

T = TypeVar("T")


class Message(msgspec.Struct, frozen=True):
    """A message as Twilio lists it. An outbound one has no `date_sent`, and with a messaging service perhaps no sender,
    while it is queued."""

    sid: Annotated[str, msgspec.Meta(min_length=1)]
    status: str = ""
    direction: str = ""
    to: str = ""
    sender: str | None = msgspec.field(name="from", default=None)
    body: str | None = None
    error_code: int | str | None = None
    num_media: int | str | None = None
    date_created: str | None = None
    date_sent: str | None = None

    @property
    def is_inbound(self) -> bool:
        """Whether this account received it."""
        return self.direction == "inbound"

    @property
    def created_us(self) -> int | None:
        """When Twilio received it, from the phone or from us, in wall microseconds, to the second."""
        for date in (self.date_created, self.date_sent):
            if date and (at_us := wall_us_of(date)) is not None:
                return at_us
        return None


class TwilioClient:
    """The API of one account."""

    def __init__(self, settings: TwilioSettings, context: CarrierContext) -> None:
        self._settings, self._callback_url = settings, context.callback_url
        self._account_path = f"/2010-04-01/Accounts/{settings.account_sid}"
        user, password = settings.api_key or settings.account_sid, settings.api_secret or settings.auth_token
        self.api = ApiClient(
            settings.base_url.rstrip("/") + self._account_path,
            headers={"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()},
            link=f"{settings.name} https",
            wall_us=context.wall_us,
            trace=context.trace,
            masked_fields=MASKED,
            fault_of=_fault_of,
        )

    async def submit(self, message_id: int, message: CarrierMessage) -> str:
        """Return the SID of an SMS that Twilio accepted. Raises CarrierRefused."""
        form = {
            "To": message.to,
            "From": message.sender,
            "Body": message.text,
            "ValidityPeriod": str(self._settings.validity_period_s),
            "StatusCallback": f"{self._callback_url}?message={message_id}",
        }
        if self._settings.messaging_service_sid:
            # Without this the service may replace characters, and the text is compared after a lost reply.
            form |= {"MessagingServiceSid": self._settings.messaging_service_sid, "SmartEncoded": "false"}
        try:
            reply = await self.api.request("POST", "/Messages.json", form=[*form.items()])
            if reply.status >= 500:
                raise NoReply(f"the carrier answered with status {reply.status}")
            if reply.status >= 300:
                raise _refused(reply)
            accepted = _read(reply, Message)
        except NotSent as error:
            raise CarrierRefused(str(error), permanent=False) from error
        except NoReply as error:
            raise CarrierRefused.no_reply(str(error)) from error
        if accepted.status in NOT_DELIVERED:
            reason = words_of(code_of(accepted.error_code)) or f"the carrier answers {accepted.status}"
            raise CarrierRefused(reason, permanent=True)
        return accepted.sid

    async def message(self, sid: str) -> Message | None:
        """Return one message; None if Twilio does not know it. Raises CarrierRefused."""
        reply = await self._get(f"/Messages/{sid}.json")
        return None if reply.status == 404 else _value(reply, Message)

    async def messages(self, filters: Mapping[str, str], *, pages_max: int) -> AsyncIterator[Sequence[Message]]:
        """Yield the pages of the messages that match, newest first. Raises CarrierRefused, also after `pages_max` pages."""
        async for page in self.pages("/Messages.json", filters, pages_max=pages_max):
            yield _convert(page.get("messages"), list[Message])

    async def pages(self, path: str, filters: Mapping[str, str], *, pages_max: int) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the pages of a list. Raises CarrierRefused, also after `pages_max` pages."""
        query: Mapping[str, str] | None = {**filters, "PageSize": str(PAGE_SIZE)}
        for _ in range(pages_max):
            page = _value(await self._get(path, query), dict[str, Any])
            yield page
            next_page = page.get("next_page_uri")
            if not next_page:
                return
            # A path from the root of the host, which may be another one than the path of `base_url`.
            _, found, rest = str(next_page).partition(self._account_path)
            if not found:
                raise CarrierRefused("the carrier's next page belongs to another account", permanent=False)
            path, query = rest, None
        raise CarrierRefused(f"the carrier's list has more than {pages_max} pages", permanent=False)

    async def get(self, path: str) -> dict[str, Any]:
        """Return an object. Raises CarrierRefused."""
        return _value(await self._get(path), dict[str, Any])

    async def send(self, method: str, path: str, form: Mapping[str, str] | None = None) -> ApiReply:
        """Send a request that changes something, and return its reply if it is a success or 404. Raises CarrierRefused."""
        try:
            reply = await self.api.request(method, path, form=None if form is None else [*form.items()])
            if reply.status >= 500:
                raise NoReply(f"the carrier answered with status {reply.status}")
        except NotSent as error:
            raise CarrierRefused(str(error), permanent=False) from error
        except NoReply as error:
            raise CarrierRefused.no_reply(str(error)) from error
        if reply.status >= 300 and reply.status != 404:
            raise _refused(reply)
        return reply

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> ApiReply:
        try:
            return await self.api.request("GET", path, query=query)
        except (NotSent, NoReply) as error:
            raise CarrierRefused(str(error), permanent=False) from error


def timestamp(wall_us: int) -> str:
    """Return a time as Twilio's filters have it, in UTC, to the second."""
    return datetime.fromtimestamp(wall_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fault_of(reply: ApiReply) -> str:
    """Return why a reply means that the account or the settings are at fault; empty if they are not."""
    code = _error_code(reply) if 400 <= reply.status < 500 else None
    if code is not None and verdict_of(code, status=reply.status) is Verdict.LINK and code != 20404:
        return words_of(code)
    return fault_of(reply)


def _refused(reply: ApiReply) -> CarrierRefused:
    """The refusal of an SMS by a reply with a status from 300 to 499."""
    code = _error_code(reply)
    verdict = verdict_of(code, status=reply.status)
    reason = words_of(code) or f"the carrier refuses the request with status {reply.status}"
    return CarrierRefused(reason, permanent=verdict is Verdict.FINAL)


def _error_code(reply: ApiReply) -> int | None:
    try:
        found = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return code_of(found.get("code")) if isinstance(found, dict) else None


def _value(reply: ApiReply, kind: type[T]) -> T:
    if reply.status != 200:
        reason = words_of(_error_code(reply)) or f"the carrier answered with status {reply.status}"
        raise CarrierRefused(reason, permanent=False)
    try:
        return _read(reply, kind)
    except NoReply as error:
        raise CarrierRefused(str(error), permanent=False) from error


def _read(reply: ApiReply, kind: type[T]) -> T:
    try:
        return msgspec.convert(reply.json(), kind)
    except msgspec.ValidationError as error:
        # Without the error's own words, which may quote a text.
        raise NoReply(f"the reply with status {reply.status} is not in Twilio's format") from error


def _convert(value: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise CarrierRefused("the carrier's list is not in Twilio's format", permanent=False) from error


def wall_us_of(date: str) -> int | None:
    """The time of an RFC 2822 or ISO 8601 date; without a zone it is in UTC."""
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            parsed = parse(date)
            parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
            return int(parsed.timestamp()) * 1_000_000
        except (ValueError, TypeError, OverflowError):
            continue
    return None
