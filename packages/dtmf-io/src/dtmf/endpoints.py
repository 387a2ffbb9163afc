"""Each endpoint as data: validation, method, path, body, and how to read the response. Pure.

Both clients share these definitions. POST and DELETE carry an idempotency key; GET, PATCH and PUT are idempotent by
themselves. Every operation here can therefore be retried after a failure."""

from __future__ import annotations

from . import responses, validation
from .e164 import parse
from .operation import Operation
from .pagination import PAGE_LENGTH

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from typing import Any

    from .operation import Call
    from .types import (
        Account,
        Address,
        AvailableNumber,
        Clock,
        Delivery,
        Deposit,
        DepositEvent,
        Event,
        FullMessage,
        Group,
        GroupDetails,
        Invoice,
        NewToken,
        Number,
        SandboxClock,
        SentMessage,
        SignUp,
        Token,
        Transaction,
        Usage,
    )


def account() -> Call[Account]:
    """GET /account"""
    return Operation("GET", "/account"), responses.json_object


def addresses() -> Call[list[Address]]:
    """GET /addresses"""
    return Operation("GET", "/addresses"), responses.json_array


def new_address() -> Call[Address]:
    """POST /addresses"""
    return Operation("POST", "/addresses"), responses.json_object


def groups(group_type: object) -> Call[list[Group]]:
    """GET /groups"""
    return Operation("GET", f"/groups?type={validation.group_type(group_type)}"), responses.json_array


def numbers() -> Call[list[Number]]:
    """GET /numbers"""
    return Operation("GET", "/numbers"), responses.json_array


def number(e164: object) -> Call[Number]:
    """GET /number"""
    return Operation("GET", _number_path(e164)), responses.json_object


def group(group_id: object) -> Call[GroupDetails]:
    """GET /groups/{id}"""
    return Operation("GET", _group_path(group_id)), responses.json_object


def available(group_id: object, contains: object) -> Call[list[AvailableNumber]]:
    """GET /groups/{id}/numbers"""
    chosen = "" if contains is None else f"?contains={validation.digits(contains)}"
    return Operation("GET", f"{_group_path(group_id)}/numbers{chosen}"), responses.json_array


def start_rental(group_id: object, e164: object = None, **limits: object) -> Call[Number]:
    """POST /numbers"""
    body: dict[str, object] = {"group_id": validation.group_id(group_id)}
    if e164 is not None:
        body["e164"] = parse(e164)
    body |= {name: _limit(name, value) for name, value in limits.items() if value is not None}
    return Operation("POST", "/numbers", body), responses.json_object


def end_rental(e164: object) -> Call[bool]:
    """DELETE /number"""
    return Operation("DELETE", _number_path(e164)), responses.true


def set_sms_action(e164: object, action: object, destination: object) -> Call[bool]:
    """PATCH /number"""
    path = _number_path(e164)
    return Operation(
        "PATCH", path, {"sms_forwarded_to": validation.sms_destination(action, destination)}
    ), responses.true


def set_limits(e164: object, **limits: object) -> Call[bool]:
    """PATCH /number"""
    changed = {
        name: None if value is None else _limit(name, value) for name, value in limits.items() if value is not ...
    }
    if not changed:
        raise ValueError("set max_minutes, max_sats, or both")
    return Operation("PATCH", _number_path(e164), changed), responses.true


def set_label(e164: object, label: object) -> Call[bool]:
    """PATCH /number"""
    chosen = None if label is None else _limit("label", label)
    return Operation("PATCH", _number_path(e164), {"label": chosen}), responses.true


def _limit(name: str, value: object) -> object:
    return validation.label(value) if name == "label" else validation.whole(name, value, least=1)


def send_message(e164: object, to: object, content: object) -> Call[FullMessage]:
    """POST /message"""
    body: dict[str, object] = {"from": parse(e164), "to": parse(to), "content": validation.content(content)}
    return Operation("POST", "/message", body, wants_result=True), responses.json_object


def messages(e164: object, after: object) -> Call[list[FullMessage]]:
    """GET /messages, one page"""
    chosen = "" if e164 is None else f"e164={_escaped(e164)}&"
    return Operation("GET", f"/messages?{chosen}{_page(after)}"), responses.json_array


def messages_before(e164: object, before: int, after: object) -> Call[list[FullMessage]]:
    """GET /messages, one page, newest first"""
    operation, read = messages(e164, after)
    operation.path += f"&order=desc&before={before}"
    return operation, read


def received(e164: str, after: int, wait_s: float) -> Call[list[FullMessage]]:
    """GET /messages, received in the current rental; a long poll"""
    chosen = f"e164={_escaped(e164)}&inbound=true&current=true"
    return Operation("GET", f"/messages?{chosen}&{_page(after)}&wait={wait_s:.3f}"), responses.json_array


def events(after: int, wait_s: float) -> Call[list[Event]]:
    """GET /events as JSON; a long poll"""
    return Operation("GET", f"/events?{_page(after)}&wait={wait_s:.3f}"), responses.json_array


def transactions(after: object) -> Call[list[Transaction]]:
    """GET /transactions, one page"""
    return Operation("GET", f"/transactions?{_page(after)}"), responses.json_array


def deposits() -> Call[list[Deposit]]:
    """GET /deposits"""
    return Operation("GET", "/deposits"), responses.json_array


def new_invoice(amount: object) -> Call[Invoice]:
    """POST /invoices"""
    body: dict[str, object] = {} if amount is None else {"amount": validation.deposit_amount(amount)}
    return Operation("POST", "/invoices", body), responses.json_object


def invoices(after: object) -> Call[list[Invoice]]:
    """GET /invoices, one page"""
    return Operation("GET", f"/invoices?{_page(after)}"), responses.json_array


def invoice(invoice_id: object) -> Call[Invoice]:
    """GET /invoices/{id}"""
    return Operation("GET", f"/invoices/{validation.whole('invoice_id', invoice_id, least=1)}"), responses.json_object


def credited(after: int, wait_s: float = 0) -> Call[list[DepositEvent]]:
    """GET /events as JSON, only of credited deposits; a long poll"""
    return Operation("GET", f"/events?kind=deposit.credited&{_page(after)}&wait={wait_s:.3f}"), responses.json_array


def open_account() -> Call[str]:
    """POST /accounts"""
    return Operation("POST", "/accounts", {}, is_public=True), lambda answer: str(
        responses.only(answer, "token")["token"]
    )


def sign_up(amount: object) -> Call[SignUp]:
    """POST /accounts, which answers with an invoice"""
    body: dict[str, object] = {"amount": validation.whole("amount", amount, least=1)}
    names = ("invoice", "payment_hash", "amount", "expires_at", "claim")
    return Operation("POST", "/accounts", body, is_public=True), lambda answer: responses.only(answer, *names)


def claim(secret: str, wait_s: float) -> Call[list[Any]]:
    """POST /accounts, of a paid sign-up; a long poll"""
    path = f"/accounts?wait={wait_s:.3f}"
    return Operation(
        "POST", path, {"claim": secret}, is_public=True
    ), lambda answer: [{**answer, "id": 1}] if "token" in responses.json_object(answer) else []


def usage() -> Call[Usage]:
    """GET /usage"""
    return Operation("GET", "/usage"), responses.json_object


def deliveries(state: object, e164: object, since: object, after: object) -> Call[list[Delivery]]:
    """GET /deliveries, one page"""
    chosen = "" if state is None else f"state={validation.delivery_state(state)}&"
    chosen += "" if e164 is None else f"e164={_escaped(e164)}&"
    chosen += "" if since is None else f"since={validation.moment('since', since).replace('+', '%2B')}&"
    return Operation("GET", f"/deliveries?{chosen}{_page(after)}"), responses.json_array


def retry_delivery(delivery_id: object) -> Call[Delivery]:
    """POST /deliveries/{id}/retry"""
    return Operation(
        "POST", f"/deliveries/{validation.whole('delivery_id', delivery_id, least=1)}/retry"
    ), responses.json_object


def retry_deliveries(since: object) -> Call[int]:
    """POST /deliveries/retry"""
    return Operation("POST", "/deliveries/retry", {"since": validation.moment("since", since)}), responses.replayed


def test_webhook(e164: object) -> Call[Delivery]:
    """POST /deliveries/test"""
    return Operation("POST", "/deliveries/test", {"e164": parse(e164)}), responses.json_object


def tokens() -> Call[list[Token]]:
    """GET /tokens"""
    return Operation("GET", "/tokens"), responses.json_array


def token(token_id: object) -> Call[Token]:
    """GET /tokens/{id}"""
    return Operation("GET", f"/tokens/{validation.whole('token_id', token_id, least=0)}"), responses.json_object


def create_token(label: object, **restrictions: object) -> Call[NewToken]:
    """POST /tokens"""
    body = {"label": validation.label(label)} | validation.restrictions(restrictions)
    return Operation("POST", "/tokens", body), responses.json_object


def revoke_token(token_id: object) -> Call[bool]:
    """DELETE /tokens"""
    return Operation("DELETE", f"/tokens?id={validation.whole('token_id', token_id, least=1)}"), responses.true


def adopt_rental(e164: object) -> Call[bool]:
    """POST /numbers/adopt"""
    return Operation("POST", "/numbers/adopt", {"e164": parse(e164)}), responses.true


def webhook_secret() -> Call[str]:
    """GET /webhook_secret"""
    return Operation("GET", "/webhook_secret"), responses.secret


def rotate_webhook_secret() -> Call[str]:
    """POST /webhook_secret"""
    return Operation("POST", "/webhook_secret"), responses.secret


def sign_in_link(base_url: str) -> Call[str]:
    """POST /sign_in_links"""
    return Operation("POST", "/sign_in_links"), lambda answer: base_url + str(responses.only(answer, "path")["path"])


def account_webhook() -> Call[str | None]:
    """GET /account/webhook"""
    return Operation("GET", "/account/webhook"), responses.url_or_none


def set_account_webhook(url: object) -> Call[bool]:
    """PUT /account/webhook"""
    checked = None if url is None else validation.http_url("url", url)
    return Operation("PUT", "/account/webhook", {"url": checked}), responses.true


def sandbox_receive(e164: object, sender: object, content: object) -> Call[FullMessage]:
    """POST /sandbox/message; content may be empty, since phones do send empty texts"""
    body: dict[str, object] = {
        "to": parse(e164),
        "from": validation.sender(sender),
        "content": validation.content(content, least=0),
    }
    return Operation("POST", "/sandbox/message", body), responses.json_object


def sandbox_deposit(address: object, amount: object, confirmations: object) -> Call[Deposit]:
    """POST /sandbox/deposit"""
    body: dict[str, object] = {
        "address": validation.address(address),
        "amount": validation.whole("amount", amount, least=1),
    }
    if confirmations is not None:
        body["confirmations"] = validation.whole("confirmations", confirmations, least=0)
    return Operation("POST", "/sandbox/deposit", body), responses.json_object


def sandbox_pay(invoice: object, amount: object, fault: object) -> Call[Invoice]:
    """POST /sandbox/pay"""
    body: dict[str, object] = {"invoice": validation.bolt11(invoice)}
    if amount is not None:
        body["amount"] = validation.whole("amount", amount, least=1)
    if fault is not None:
        body["fault"] = validation.fault(fault)
    return Operation("POST", "/sandbox/pay", body), responses.json_object


def sandbox_advance(seconds: object) -> Call[Clock]:
    """POST /sandbox/clock"""
    return Operation("POST", "/sandbox/clock", {"advance_s": validation.seconds(seconds)}), responses.json_object


def sandbox_clock() -> Call[SandboxClock]:
    """GET /sandbox/clock"""
    return Operation("GET", "/sandbox/clock"), responses.json_object


def sandbox_sent() -> Call[list[SentMessage]]:
    """GET /sandbox/sent"""
    return Operation("GET", "/sandbox/sent"), responses.json_array


def _number_path(e164: object) -> str:
    return f"/number?e164={_escaped(e164)}"


def _group_path(group_id: object) -> str:
    raw = validation.group_id(group_id).encode()
    return "/groups/" + "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 128) or byte == 45 else f"%{byte:02X}" for byte in raw
    )


def _escaped(e164: object) -> str:
    return f"%2B{parse(e164)[1:]}"


def _page(after: object) -> str:
    return f"after={validation.whole('after', after, least=0)}&limit={PAGE_LENGTH}"
