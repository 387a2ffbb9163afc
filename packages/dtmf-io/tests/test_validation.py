"""A malformed argument raises ValueError that quotes it, and nothing is sent."""

from __future__ import annotations

from typing import Any

import pytest

from support.invalid_arguments import (
    NOT_A_CONTENT,
    NOT_A_GROUP_ID,
    NOT_A_GROUP_TYPE,
    NOT_A_URL,
    NOT_A_WHOLE_NUMBER,
    NOT_AN_ACTION,
    NOT_E164,
)

from .stub import Stub

N = "+1234567890"


def refused(stub: Stub, value: object, call: Any, *arguments: object, **named: object) -> None:
    """Check that a call rejects a value. Each test checks a whole table: one test for each value would take longer."""
    try:
        call(*arguments, **named)
    except ValueError as error:
        caught = error
    else:
        pytest.fail(f"{value!r} was accepted")
    assert type(caught) is ValueError
    assert repr(value)[:60] in str(caught)
    assert stub.connections == 0


def test_groups_rejects_an_unknown_group_type(dtmf: Any, stub: Stub) -> None:
    for value in NOT_A_GROUP_TYPE:
        refused(stub, value, dtmf.groups, value)


def test_calls_about_a_number_reject_values_that_are_not_e164(dtmf: Any, stub: Stub) -> None:
    for value in NOT_E164:
        refused(stub, value, dtmf.number, value)
        refused(stub, value, dtmf.end_rental, value)
        refused(stub, value, dtmf.set_sms_action, value, None, None)
        refused(stub, value, dtmf.send_message, value, N, "text")
        refused(stub, value, dtmf.send_message, N, value, "text")
        refused(stub, value, dtmf.sandbox.receive, value, N, "text")
        if value is not None:
            refused(stub, value, dtmf.messages, value)


def test_set_sms_action_rejects_an_unknown_action(dtmf: Any, stub: Stub) -> None:
    for value in NOT_AN_ACTION:
        for destination in (None, N, "https://example.org/webhook"):
            refused(stub, value, dtmf.set_sms_action, N, value, destination)


def test_forward_rejects_a_destination_that_is_not_e164(dtmf: Any, stub: Stub) -> None:
    for value in [*NOT_E164, "https://example.org/webhook"]:
        refused(stub, value, dtmf.set_sms_action, N, "forward", value)


def test_webhook_rejects_a_destination_that_is_not_a_url(dtmf: Any, stub: Stub) -> None:
    for value in [*NOT_A_URL, None, N]:
        refused(stub, value, dtmf.set_sms_action, N, "webhook", value)


def test_no_action_rejects_any_destination(dtmf: Any, stub: Stub) -> None:
    for value in ["", N, "https://example.org/", "None", "null", 0, False, [], {}, (), b"", object()]:
        refused(stub, value, dtmf.set_sms_action, N, None, value)


def test_start_rental_rejects_a_malformed_group_id(dtmf: Any, stub: Stub) -> None:
    for value in NOT_A_GROUP_ID:
        refused(stub, value, dtmf.start_rental, value)


def test_limits_and_labels_are_checked(dtmf: Any, stub: Stub) -> None:
    for value in [*NOT_A_WHOLE_NUMBER, 0]:
        if value is not None:
            refused(stub, value, dtmf.start_rental, "us-mobile", max_minutes=value)
            refused(stub, value, dtmf.rental, "us-mobile", max_sats=value)
            refused(stub, value, dtmf.set_limits, N, max_minutes=value)
            refused(stub, value, dtmf.set_limits, N, max_sats=value)
    for value in ("", "x" * 101, "a\nb", "a\0", "\ud800", 5, True, b"x", [], object()):
        refused(stub, value, dtmf.start_rental, "us-mobile", label=value)
        refused(stub, value, dtmf.set_label, N, value)
    with pytest.raises(ValueError, match="max_minutes, max_sats, or both"):
        dtmf.set_limits(N)
    assert stub.received == []


def test_a_text_that_no_sms_can_hold_is_rejected(dtmf: Any, stub: Stub) -> None:
    for value in NOT_A_CONTENT:
        refused(stub, value, dtmf.send_message, N, "+12", value)
        refused(stub, value, dtmf.sandbox.receive, N, "+12", value)


def test_send_message_rejects_an_empty_text(dtmf: Any, stub: Stub) -> None:
    refused(stub, "", dtmf.send_message, N, "+12", "")


def test_ids_and_amounts_must_be_integers_in_range(dtmf: Any, stub: Stub) -> None:
    for value in NOT_A_WHOLE_NUMBER:
        refused(stub, value, dtmf.messages, after=value)
        refused(stub, value, dtmf.messages, N, after=value)
        refused(stub, value, dtmf.transactions, value)
        refused(stub, value, dtmf.sandbox.deposit, "bcrt1q", value)
        if value is not None:
            refused(stub, value, dtmf.sandbox.deposit, "bcrt1q", 1, value)


def test_a_deposit_of_zero_is_rejected(dtmf: Any, stub: Stub) -> None:
    refused(stub, 0, dtmf.sandbox.deposit, "bcrt1q", 0)


def test_advance_rejects_a_malformed_duration(dtmf: Any, stub: Stub) -> None:
    for value in [-1, -0.5, True, "1", None, 2**63, [1], float("nan"), float("inf")]:
        refused(stub, value, dtmf.sandbox.advance, value)


def test_receive_rejects_a_malformed_sender(dtmf: Any, stub: Stub) -> None:
    for value in ["", "x" * 65, "a\0", "\ud800", None, 5, b"MyBank"]:
        refused(stub, value, dtmf.sandbox.receive, N, value, "text")


def test_deposit_rejects_a_malformed_address(dtmf: Any, stub: Stub) -> None:
    for value in ["", "x" * 129, "a\n", "\ud800", None, 5, b"bcrt1q"]:
        refused(stub, value, dtmf.sandbox.deposit, value, 1)
