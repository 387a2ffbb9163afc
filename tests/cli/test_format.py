"""`--format` and `--quiet`: items as JSON, as tab-separated values, by a template of their fields, or only their ids."""

import json

import pytest

from dtmf import DTMF
from support.cli_process import Refused, Run

N = "+12025550100"


def test_numbers_are_printed_by_a_template(dtmf: DTMF, run: Run) -> None:
    e164 = run("rent", "us-mobile", "--quiet").out.strip()
    assert [number["e164"] for number in dtmf.numbers()] == [e164]
    assert run("numbers", "--quiet").out == run("numbers", "-q").out == f"{e164}\n"
    assert run("numbers", "--format", "{e164} costs {cost_per_minute:>5}").out == f"{e164} costs    13\n"
    assert run("numbers", "--format", "{sms_forwarded_to}|{messages}").out == "|[]\n"
    assert json.loads(run("numbers", "--format", "json").out) == dtmf.numbers()
    (row,) = run("numbers", "--format", "tsv").out.splitlines()
    assert row.split("\t")[:2] == [e164, "us-mobile"]


def test_a_text_stays_on_its_line_and_reaches_no_terminal(dtmf: DTMF, run: Run) -> None:
    e164 = dtmf.start_rental("us-mobile")["e164"]
    dtmf.sandbox.receive(e164, "MyBank", "one\ttwo\nthree \x1b[2J {id.__class__} \\")
    line = "one\\ttwo\\nthree \u241b[2J {id.__class__} \\\\"
    assert run("messages", "--format", "{content}").out == f"{line}\n"
    assert line in run("messages", "--format", "tsv").out.split("\t")
    assert run("messages", "--last", "1", "--quiet").out == f"{next(dtmf.messages())['id']}\n"


def test_every_list_has_ids_and_formats(dtmf: DTMF, run: Run) -> None:
    e164 = dtmf.start_rental("us-mobile")["e164"]
    invoice = dtmf.new_invoice(500)
    dtmf.set_sms_action(e164, "webhook", "http://127.0.0.1:1024/")
    dtmf.sandbox.receive(e164, "MyBank", "hello")
    paid = dtmf.sandbox.deposit(dtmf.new_address()["address"], 1000)
    sent = run("send", e164, "+447700900123", "hi", "--quiet").out.strip()
    ids = {
        ("groups",): [group["id"] for group in dtmf.groups()],
        ("available", "us-mobile"): [number["e164"] for number in dtmf.available("us-mobile")],
        ("messages",): [str(message["id"]) for message in dtmf.messages()],
        ("transactions",): [str(row["id"]) for row in dtmf.transactions()],
        ("deliveries",): [str(delivery["id"]) for delivery in dtmf.deliveries()],
        ("invoices",): [str(invoice["id"])],
        ("deposits",): [f"{paid['txid']}:{paid['vout']}"],
    }
    assert sent in ids[("messages",)]
    for command, expected in ids.items():
        assert run(*command, "--quiet").out.splitlines() == expected, command
        assert len(run(*command, "--format", "tsv").out.splitlines()) == len(expected), command
        assert run(*command, "--format", "json").out == run(*command, "--json").out, command


@pytest.mark.parametrize(
    "template",
    [
        "{e164.__class__}",
        "{e164[0]}",
        "{e164!r}",
        "{0}",
        "{}",
        "{e164:{cost_per_minute}}",
        "{",
        "}",
        "e164",
        "",
        "{E164}",
    ],
)
def test_a_template_reaches_only_fields(template: str, refused: Refused) -> None:
    code, line = refused("numbers", "--format", template)
    assert code == 2
    assert "--format" in line


def test_a_field_that_does_not_exist_is_named(dtmf: DTMF, refused: Refused, run: Run) -> None:
    dtmf.start_rental("us-mobile")
    code, line = refused("numbers", "--format", "{number}")
    assert code == 2
    assert "no field 'number'; the fields are e164, group_id" in line
    assert refused("numbers", "--format", "{e164:d}")[0] == 2
    for given in (["--json", "--quiet"], ["--quiet", "--format", "tsv"], ["--json", "--format", "{e164}"]):
        assert refused("numbers", *given)[0] == 2


def test_the_last_messages_are_shown_oldest_first(dtmf: DTMF, run: Run, refused: Refused) -> None:
    e164 = dtmf.start_rental("us-mobile")["e164"]
    for text in "abcd":
        dtmf.sandbox.receive(e164, "MyBank", text)
    assert run("messages", "--last", "2", "--format", "{content}").out == "c\nd\n"
    assert run("messages", "--last", "0", "--format", "{content}").out == ""
    assert run("messages", "--format", "{content}").out == "a\nb\nc\nd\n"
    assert refused("messages", "--last", "-1")[0] == 2


def test_open_prints_a_link_that_signs_in(dtmf: DTMF, run: Run, url: str) -> None:
    said = run("open")
    assert said.out.startswith(f"{url}/sign-in/link?key=")
    assert json.loads(run("open", "--json").out).startswith(f"{url}/sign-in/link?key=")
    assert run("open", "--print").out != said.out
