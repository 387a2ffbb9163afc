"""Receipts in every form that SMSCs use: they update the message, and are never treated as an SMS that the renter pays."""

import itertools
from collections.abc import Callable

import pytest

from dtmf_server.carriers.smpp.pdu import Command, DataSm, Pdu, Sm, Tag
from dtmf_server.operations import account
from dtmf_server.storage.db import Row
from harness import START_US
from smpp.conftest import COINS, Bound

Binding = Callable[..., Bound]
PHONE = "31612345678"
_sequences = itertools.count(500)


def taken(bound: Bound) -> tuple[int, str]:
    """Send an SMS that the SMSC accepts; return the message and the SMSC's reference."""
    message_id = bound.sends("hello")
    bound.until(message_id, "sent")
    (row,) = bound.rows("SELECT ref FROM submissions WHERE message_id = :id", id=message_id)
    return message_id, row["ref"]


def comes(bound: Bound, body: Sm | DataSm) -> None:
    """Deliver this from the SMSC; return once it is acknowledged."""
    sequence = next(_sequences)
    bound.smsc.send(Pdu(Command.DELIVER_SM if isinstance(body, Sm) else Command.DATA_SM, sequence, body))
    assert bound.smsc.answer(sequence).status == 0


def message(bound: Bound, message_id: int) -> Row:
    (row,) = bound.rows("SELECT status, cost, reason FROM messages WHERE id = :id", id=message_id)
    return row


def balance(bound: Bound) -> int:
    return bound.db.read_blocking(lambda tx: account.balance(tx, bound.account_id, now_us=START_US))


def inbound(bound: Bound) -> int:
    return len(bound.received())


def text_of(ref: str, stat: str) -> str:
    return f"id:{ref} sub:001 dlvrd:000 submit date:2601010000 done date:2601010000 stat:{stat} err:000 text:hello"


@pytest.mark.regression("receipt-status-words")
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["FAILED", "Rejected", "UNDELIVERABLE", "undeliv", "EXPIRED", "CANCELLED"], "failed"),
        (["DELIVERED", "Delivrd"], "delivered"),
        (["ACCEPTD", "ACKED", "BUFFRED", "BUFFERD", "ENROUTE", "SCHEDULED", "WEIRD"], "sent"),
    ],
)
def test_a_status_word_in_any_letter_case_updates_the_message(
    bind_on_each_engine: Binding, words: list[str], status: str
) -> None:
    bound = bind_on_each_engine()
    found = {}
    for word in words:
        message_id, ref = taken(bound)
        comes(bound, Sm(esm_class=4, source_addr=PHONE, short_message=text_of(ref, word).encode()))
        found[word] = message(bound, message_id)
    assert {word: row["status"] for word, row in found.items()} == dict.fromkeys(words, status)
    assert all((row["cost"] == 0) is (status == "failed") for row in found.values())
    if status == "failed":
        assert balance(bound) == COINS


@pytest.mark.regression("receipt-encodings")
def test_a_receipt_in_ucs_2_and_other_forms_counts(bind: Binding) -> None:
    bound = bind()
    forms: dict[str, Callable[[str], Sm | DataSm]] = {
        "ucs-2": lambda text: Sm(esm_class=4, data_coding=8, short_message=text.encode("utf-16-be")),
        "ucs-2 with a mark": lambda text: Sm(
            esm_class=4, data_coding=8, short_message=b"\xff\xfe" + text.encode("utf-16-le")
        ),
        "ucs-2 in message_payload": lambda text: Sm(
            esm_class=4, data_coding=8, tlvs=((Tag.MESSAGE_PAYLOAD, text.encode("utf-16-be")),)
        ),
        "data_sm": lambda text: DataSm(esm_class=4, tlvs=((Tag.MESSAGE_PAYLOAD, text.encode()),)),
        "latin-1": lambda text: Sm(esm_class=4, data_coding=3, short_message=(text + "é").encode("latin-1")),
        "capitals and spaces": lambda text: Sm(
            esm_class=4, short_message=text.replace("id:", "Id: ").replace("stat:", "STAT: ").encode()
        ),
    }
    found = {}
    for name, form in forms.items():
        message_id, ref = taken(bound)
        comes(bound, form(text_of(ref, "UNDELIV")))
        found[name] = message(bound, message_id)["status"]
    assert found == dict.fromkeys(forms, "failed")
    assert (balance(bound), inbound(bound)) == (COINS, 0)


@pytest.mark.regression("receipt-by-tlvs")
def test_a_receipt_recognised_only_by_its_tlvs_is_never_shown_or_charged(bind_on_each_engine: Binding) -> None:
    bound = bind_on_each_engine()
    message_id, ref = taken(bound)
    before = balance(bound)
    id_, state = (Tag.RECEIPTED_MESSAGE_ID, ref.encode() + b"\0"), (Tag.MESSAGE_STATE, b"\x02")
    fields = text_of(ref, "DELIVRD").encode()
    for body in (
        Sm(source_addr=PHONE, destination_addr=bound.number, short_message=fields, tlvs=(id_,)),
        Sm(source_addr=PHONE, destination_addr=bound.number, short_message=b"whatever", tlvs=(id_, state)),
        Sm(source_addr=PHONE, destination_addr="19995550100", tlvs=(id_, state)),  # an unrented number
        DataSm(source_addr=PHONE, destination_addr=bound.number, tlvs=(id_, state)),
    ):
        comes(bound, body)
    assert (inbound(bound), balance(bound)) == (0, before)
    assert message(bound, message_id)["status"] == "delivered"


def test_an_sms_with_one_of_the_tlvs_is_an_sms(bind: Binding) -> None:
    bound = bind()
    for tlv in ((Tag.RECEIPTED_MESSAGE_ID, b"7f\0"), (Tag.MESSAGE_STATE, b"\x02")):
        comes(bound, Sm(source_addr="bank", destination_addr=bound.number, short_message=b"code 418207", tlvs=(tlv,)))
    assert bound.received() == [("bank", "code 418207")] * 2


def test_a_text_that_looks_like_a_receipt_is_an_sms(bind: Binding) -> None:
    bound = bind()
    message_id, ref = taken(bound)
    text = text_of(ref, "UNDELIV")
    comes(bound, Sm(source_addr="anyone", destination_addr=bound.number, short_message=text.encode()))
    assert bound.received() == [("anyone", text)]
    assert message(bound, message_id)["status"] == "sent"


def test_the_renters_own_text_is_not_read_as_a_status(bind: Binding) -> None:
    bound = bind()
    message_id, ref = taken(bound)
    text = f"id:{ref} sub:001 dlvrd:001 stat:DELIVRD err:000 text:stat:UNDELIV"
    comes(bound, Sm(esm_class=4, source_addr=PHONE, short_message=text.encode()))
    assert message(bound, message_id)["status"] == "delivered"


def test_an_unknown_status_word_is_logged_once(bind: Binding, caplog: pytest.LogCaptureFixture) -> None:
    bound = bind()
    for _ in range(3):
        _, ref = taken(bound)
        comes(bound, Sm(esm_class=4, source_addr=PHONE, short_message=text_of(ref, "QUIXOTIC").encode()))
    assert sum("QUIXOTIC" in record.getMessage() for record in caplog.records) == 1
