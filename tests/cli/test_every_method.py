"""Everything that the client does can be done with `dtmf`. A new method needs an entry here, and a command."""

import inspect

import pytest

from dtmf import DTMF, AsyncDTMF
from dtmf.cli.app import build
from dtmf.sandbox import Sandbox

COMMANDS = {
    "account": "account",
    "account_webhook": "webhook",
    "addresses": "topup",
    "available": "available",
    "adopt_rental": "tokens adopt",
    "claim": "signup",
    "create_token": "tokens create",
    "deliveries": "deliveries",
    "deposits": "deposits",
    "end_rental": "end",
    "events": "events",
    "group": "group",
    "groups": "groups",
    "invoice": "topup",
    "invoices": "invoices",
    "messages": "messages",
    "new_address": "topup",
    "new_invoice": "topup",
    "number": "show",
    "numbers": "numbers",
    "rental": "code",
    "retry_deliveries": "deliveries retry",
    "retry_delivery": "deliveries retry",
    "revoke_token": "tokens revoke",
    "rotate_webhook_secret": "secret",
    "send_message": "send",
    "set_account_webhook": "webhook",
    "set_label": "label",
    "set_limits": "limits",
    "set_sms_action": "action",
    "sign_in_link": "open",
    "sign_up": "signup",
    "start_rental": "rent",
    "test_webhook": "deliveries test",
    "token": "tokens",
    "tokens": "tokens",
    "transactions": "transactions",
    "usage": "account",
    "wait_for_code": "wait",
    "wait_for_deposit": "topup",
    "wait_for_message": "wait",
    "webhook_secret": "secret",
    "sandbox.advance": "sandbox advance",
    "sandbox.clock": "account",
    "sandbox.deposit": "sandbox deposit",
    "sandbox.pay": "sandbox pay",
    "sandbox.receive": "sandbox receive",
    "sandbox.sent": "sandbox sent",
}
NOT_CALLS = {"close", "last_request_id", "sandbox", "with_options"}  # they send nothing


def public(kind: type) -> set[str]:
    """The names of the public members of a class."""
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}


def test_every_method_has_a_command() -> None:
    sandbox = {f"sandbox.{name}" for name in public(Sandbox)}
    assert public(DTMF) - NOT_CALLS | sandbox == COMMANDS.keys()
    assert public(DTMF) == public(AsyncDTMF)


@pytest.mark.parametrize("command", sorted(set(COMMANDS.values())))
def test_the_command_exists(command: str) -> None:
    _, found, rest = build().parse_commands(command.split())
    assert rest == []
    assert len(found) == 1 + len(command.split())
