"""Each command: its effect, its output for people, and its JSON, which is what the client returns."""

import json
import threading
from typing import Any

import pytest

from dtmf import DTMF
from dtmf_server.operations import invoices
from dtmf_server.runtime.context import Runtime
from support.cli_process import Refused, Run
from support.webhook_receiver import refused_port


@pytest.fixture
def rented(dtmf: DTMF) -> str:
    """A number with received and sent messages."""
    number = dtmf.start_rental("us-mobile")["e164"]
    dtmf.sandbox.receive(number, "BANK", "Your code is 428613")
    dtmf.send_message(number, "+13105550123", "On my way")
    dtmf.sandbox.advance(0)
    return number


def as_json(run: Run, *words: object) -> Any:
    """Return the output of a command with --json."""
    said = run(*words, "--json")
    assert (said.code, said.err) == (0, "")
    return json.loads(said.out)


def as_lines(run: Run, *words: object) -> list[Any]:
    """Return the output of a command that prints one JSON object per line."""
    said = run(*words, "--json")
    assert (said.code, said.err) == (0, "")
    return [json.loads(line) for line in said.out.splitlines()]


def plain(run: Run, *words: object) -> str:
    """Return the output of a command for people."""
    said = run(*words)
    assert (said.code, said.err) == (0, "")
    assert "\x1b" not in said.out
    return said.out


def test_a_rental_is_limited_and_named(run: Run, dtmf: DTMF) -> None:
    words = ("rent", "us-mobile", "--max-minutes", 20, "--max-sats", 7000, "--label", "sign-up")
    number = as_json(run, *words)
    assert (number["max_minutes"], number["max_sats"], number["label"]) == (20, 7000, "sign-up")
    e164 = number["e164"]
    assert "us-mobile (sign-up)" in plain(run, "numbers")
    shown = plain(run, "show", e164)
    assert "after 20 minutes, at 7,000 sats" in shown and "sign-up" in shown
    assert "ends after 60 minutes, by" in plain(run, "limits", e164, "--max-minutes", 60, "--max-sats", 0)
    assert plain(run, "limits", e164, "--max-minutes", 0) == f"The rental of {e164} ends when you end it.\n"
    assert as_json(run, "limits", e164) == dtmf.number(e164)
    assert plain(run, "label", e164, "bank") == f"{e164} is named bank.\n"
    assert as_json(run, "label", e164) is True
    assert "label" not in dtmf.number(e164)


def test_json_is_exactly_what_the_client_returns(run: Run, dtmf: DTMF, rented: str) -> None:
    assert as_json(run, "account") == dtmf.account()
    assert as_json(run, "groups", "mobile") == dtmf.groups("mobile")
    assert as_json(run, "groups") == dtmf.groups("mobile") + dtmf.groups("local")
    assert as_json(run, "numbers") == dtmf.numbers()
    assert as_json(run, "show", rented) == dtmf.number(rented)
    assert as_json(run, "sandbox", "sent") == dtmf.sandbox.sent()
    assert as_lines(run, "messages") == as_lines(run, "messages", rented) == list(dtmf.messages())
    assert as_lines(run, "messages", "--last", "1") == list(dtmf.messages())[-1:]
    assert as_lines(run, "messages", "--after", "1") == list(dtmf.messages(after=1))
    assert as_lines(run, "transactions") == list(dtmf.transactions())
    assert as_lines(run, "deliveries") == list(dtmf.deliveries())
    assert as_lines(run, "deliveries", "--state", "parked") == []
    assert as_lines(run, "transactions", "--last", "0") == []


def test_json_keeps_the_order_of_keys(run: Run, dtmf: DTMF, rented: str) -> None:
    assert list(as_json(run, "show", rented)) == list(dtmf.number(rented))


def test_rent_and_end(run: Run, dtmf: DTMF) -> None:
    number = as_json(run, "rent", "us-mobile")
    assert dtmf.numbers() == [number]
    assert as_json(run, "end", number["e164"]) is True
    assert dtmf.numbers() == []
    assert plain(run, "rent", "us-mobile").splitlines()[0] == dtmf.numbers()[0]["e164"]
    assert "has ended" in plain(run, "end", dtmf.numbers()[0]["e164"])
    assert plain(run, "numbers").startswith("You have no numbers.")


def test_a_script_is_not_asked_for_confirmation(run: Run, dtmf: DTMF, rented: str) -> None:
    assert run("end", rented, stdin="n\n").code == 0  # stdin is not a terminal
    assert dtmf.numbers() == []


@pytest.mark.parametrize(
    ("words", "forwarded_to", "said"),
    [
        (["forward", "+13105550123"], "+13105550123", "forwarded to +13105550123"),
        (["webhook", "https://example.org/sms"], "https://example.org/sms", "posted to https://example.org/sms"),
        (["none"], None, "stored"),
    ],
    ids=["forward", "webhook", "none"],
)
def test_action(run: Run, dtmf: DTMF, rented: str, words: list[str], forwarded_to: str | None, said: str) -> None:
    assert said in plain(run, "action", rented, *words)
    assert dtmf.number(rented)["sms_forwarded_to"] == forwarded_to
    assert said in plain(run, "show", rented)
    assert as_json(run, "action", rented, *words) is True


def test_send_reads_its_text_from_standard_input(run: Run, dtmf: DTMF, rented: str) -> None:
    assert "Queued for +13105550123" in run("send", rented, "+13105550123", "-", stdin="from a pipe\n").out
    assert as_json(run, "send", rented, "+13105550123", "--dashes")["content"] == "--dashes"
    assert [message["content"] for message in dtmf.messages()][-2:] == ["from a pipe", "--dashes"]


def test_topup_returns_the_same_address_until_it_is_paid(run: Run, dtmf: DTMF) -> None:
    first = as_json(run, "topup")
    assert as_json(run, "topup") == first
    assert dtmf.addresses() == [first]
    dtmf.sandbox.deposit(first["address"], 1_000)
    second = as_json(run, "topup")
    assert second != first
    assert as_json(run, "topup", "--new") not in [first, second]


def test_topup_writes_the_amount_into_the_uri(run: Run, dtmf: DTMF) -> None:
    said = plain(run, "topup", "50,000")
    (address,) = dtmf.addresses()
    (invoice,) = dtmf.invoices()
    assert invoice["amount"] == 50_000
    assert f"bitcoin:{address['address']}?amount=0.0005&lightning={invoice['invoice'].upper()}\n" in said
    assert "never send real coins" in said
    assert "?amount" not in plain(run, "topup")


def test_topup_waits_until_a_deposit_is_credited(run: Run, dtmf: DTMF) -> None:
    def pay() -> None:
        while not (invoices := list(dtmf.invoices())):
            pass
        dtmf.sandbox.pay(invoices[0])

    before = dtmf.account()["balance"]
    payer = threading.Thread(target=pay)
    payer.start()
    said = plain(run, "topup", "50k", "--wait", "30")
    payer.join()
    assert said.endswith(f"50,000 sats arrived by Lightning. The balance is {before + 50_000:,} sats.\n")


def test_topup_by_lightning_works_without_addresses(run: Run, refused: Refused, dtmf: DTMF, runtime: Runtime) -> None:
    runtime.derive = None
    said = as_json(run, "topup", "50k")
    (invoice,) = dtmf.invoices()
    assert said == {"address": None, "invoice": invoice}
    last = list(run("topup", "50k").out.splitlines())[-1]
    assert last == f"lightning:{list(dtmf.invoices())[-1]['invoice'].upper()}"
    assert refused("topup")[1].startswith("This service does not accept on-chain deposits")
    runtime.invoices = None
    assert refused("topup", "50k")[1].startswith("This service does not take Lightning payments")


def test_topup_says_why_there_is_no_invoice(
    run: Run, dtmf: DTMF, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoices, "OPEN_MAX", 1)
    dtmf.new_invoice(1)
    said = run("topup", "50k")
    (address,) = dtmf.addresses()
    assert (said.code, f"bitcoin:{address['address']}?amount=0.0005\n" in said.out) == (0, True)
    assert said.err.startswith("dtmf: no Lightning invoice: 1 invoices of this account are open")
    runtime.invoices = None
    assert run("topup", "50k").err == "", "the service takes only on-chain deposits"


def test_invoices_are_listed_and_the_newest_open_one_is_paid(run: Run, dtmf: DTMF) -> None:
    assert plain(run, "invoices") == "No invoices yet.\n"
    first = as_json(run, "topup", "0.0001btc")["invoice"]
    assert run("sandbox", "pay", "--amount", "20k").out.startswith("The invoice is settled. The balance is ")
    assert as_json(run, "invoices") == {**first, "status": "settled"}
    assert "settled" in plain(run, "invoices")


def test_paying_without_an_open_invoice_is_refused(refused: Refused, dtmf: DTMF) -> None:
    assert refused("sandbox", "pay") == (4, "no invoice is open: create one with dtmf topup AMOUNT")


def test_sandbox_commands_simulate_payments_messages_and_time(run: Run, dtmf: DTMF, rented: str) -> None:
    before = dtmf.account()["balance"]
    assert f"The balance is {before + 50_000:,} sats." in plain(run, "sandbox", "deposit", "50,000")
    assert as_json(run, "sandbox", "deposit", "7", "--confirmations", "0")["status"] == "pending"
    assert as_json(run, "sandbox", "receive", rented, "+1234", "zwölf")["content"] == "zwölf"
    assert "hello" in plain(run, "sandbox", "receive", rented, "+1234", "hello")
    assert as_json(run, "sandbox", "advance", "2h")["now"].startswith("2018-01-01T03:01:01")
    assert "2018-01-01 03:02:01 UTC, 2 h 1 min ahead" in plain(run, "sandbox", "advance", "60")


def test_the_sandbox_clock_is_shown_where_it_is_ahead(run: Run, dtmf: DTMF, rented: str) -> None:
    assert "Clock" not in plain(run, "account")
    assert (
        plain(run, "sandbox", "clock") == "The sandbox's time is now 2018-01-01 01:01:01 UTC, which is the real time.\n"
    )
    dtmf.sandbox.advance(3600)
    assert "2018-01-01 02:01 UTC, 1 h ahead of the real time" in plain(run, "account")
    assert (
        as_json(run, "sandbox", "clock")
        == dtmf.sandbox.clock()
        == {
            "now": "2018-01-01T02:01:01.000000",
            "offset_s": 3600.0,
        }
    )


def test_a_delivery_is_retried_and_a_sample_posted(run: Run, dtmf: DTMF, rented: str) -> None:
    (delivery,) = dtmf.deliveries()
    assert as_json(run, "deliveries", "retry", delivery["id"])["id"] == delivery["id"]
    assert "is queued again" in plain(run, "deliveries", "retry", delivery["id"])
    hook = f"http://127.0.0.1:{refused_port()}/hook"
    dtmf.set_sms_action(rented, "webhook", hook)
    assert f"A sample was queued for {hook}" in plain(run, "deliveries", "test", rented)
    assert as_json(run, "deliveries", "test", rented)["message_id"] is None


def test_untrusted_text_is_shown_without_effect_on_the_terminal(run: Run, dtmf: DTMF, rented: str) -> None:
    text = "[bold red]x[/] :smile: \x1b[2J\x07 \u202eevil\u009b31m 漢字 👩‍👩‍👧 a\u00a0b\r\nsecond"
    dtmf.sandbox.receive(rented, "\N{RIGHT-TO-LEFT OVERRIDE}KNAB", text)
    for words in (["show", rented], ["messages"], ["messages", "--json"], ["show", rented, "--json"]):
        out = run(*words).out
        assert not {"\x1b", "\x07", "\u202e", "\u009b", "\r"} & set(out), words
        assert "[bold red]x[/] :smile:" in out
    assert "␛[2J␇ \\u202eevil\\u009b31m 漢字 👩‍👩‍👧 a\u00a0b\n  second\n" in run("show", rented).out
    assert as_lines(run, "messages")[-1]["content"] == text


def test_the_reason_of_a_failed_message_is_shown(run: Run, dtmf: DTMF, rented: str) -> None:
    sent = dtmf.send_message(rented, "+15005550001", "hello")
    dtmf.sandbox.advance(0)
    reason = "the carrier does not know this number"
    for words in (["show", rented], ["messages"], ["messages", rented]):
        assert f"  Reason: {reason}\n" in plain(run, *words), words
    assert [each["reason"] for each in as_lines(run, "messages") if each["id"] == sent["id"]] == [reason]


def test_erased_and_empty_texts_are_marked(run: Run, dtmf: DTMF, rented: str) -> None:
    dtmf.sandbox.receive(rented, "+1234", "")
    assert "  (empty)\n" in plain(run, "show", rented)
    dtmf.end_rental(rented)
    dtmf.sandbox.advance(40 * 86_400)
    assert "  (erased)\n" in plain(run, "messages")
    assert plain(run, "sandbox", "sent") == f"{rented} → +13105550123\n  (erased)\n"


def test_tables_show_the_newest_items_and_json_shows_all(run: Run, dtmf: DTMF, rented: str) -> None:
    for index in range(30):
        dtmf.sandbox.receive(rented, "+1234", f"text {index}.")
    assert "text 5." in plain(run, "messages")
    assert "text 4." not in plain(run, "messages")
    assert "text 4." in plain(run, "messages", "--last", "100")
    assert len(as_lines(run, "messages")) == 32
    assert len(plain(run, "transactions").splitlines()) == 26
