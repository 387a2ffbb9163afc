"""Webhooks with the body of a chat or push service: posted, tested, retried, and never shown whole."""

import json
from collections.abc import Callable

import httpx2
import pytest

from dtmf import DTMF
from dtmf_server.core.body_templates import NAMES
from harness import new_token
from support.webhook_receiver import Receiver, Reply
from support.webhook_steps import ON_SQLITE, rent, settle

SECRET = "bot123456:AAE-secret-token"


@pytest.mark.parametrize("name", NAMES)
@ON_SQLITE
def test_a_test_and_an_sms_arrive_in_the_form_of_the_service(dtmf: DTMF, receiver: Receiver, name: str) -> None:
    number = rent(dtmf, "webhook", f"{receiver.url}/{SECRET}?chat_id=1#template={name}")
    dtmf.test_webhook(number)
    settle(dtmf)
    (test,) = receiver.wait_for(1)
    dtmf.sandbox.receive(number, "BANK", "Your code is 428613")
    settle(dtmf)
    _, sms = receiver.wait_for(2)
    assert {test.path, sms.path} == {f"/webhook/{SECRET}?chat_id=1"}
    assert "This is a test of your webhook" in test.body.decode()
    assert "BANK → " in sms.body.decode()
    assert "428613" in sms.body.decode()
    assert sms.headers["content-type"] == ("text/plain; charset=utf-8" if name == "ntfy" else "application/json")
    assert sms.headers["webhook-signature"].startswith("v1,")
    if name != "ntfy":
        json.loads(sms.body)


def test_the_secret_of_the_service_is_never_shown_again(
    dtmf: DTMF, receiver: Receiver, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = lambda posted: Reply(410, body=posted.path.encode())
    number = rent(dtmf, "webhook", f"{receiver.url}/{SECRET}#template=telegram")
    shown = f"{receiver.url.removesuffix('/webhook')}/…#template=telegram"
    assert dtmf.number(number)["sms_forwarded_to"] == shown
    dtmf.set_account_webhook(f"{receiver.url}/{SECRET}#template=discord")
    dtmf.sandbox.receive(number, "BANK", "Your code is 428613")
    settle(dtmf)
    (delivery,) = dtmf.deliveries()
    assert (delivery["destination"], delivery["state"]) == (shown, "parked")
    headers = {"Authorization": f"Bearer {new_token()}"}
    with httpx2.Client(base_url=f"{url}/api/v1", headers=headers) as http:
        for path in (
            "/numbers",
            f"/number?e164=%2B{number[1:]}",
            "/deliveries",
            "/account/webhook",
            "/events?after=0&wait=0",
        ):
            found = http.get(path, headers={"Accept": "application/json"})
            assert found.status_code == 200, path
            assert "AAE-secret" not in found.text, path
        assert "action.disabled" in found.text
    assert "AAE-secret" not in caplog.text


@ON_SQLITE
def test_without_a_template_the_body_is_the_documented_one(dtmf: DTMF, receiver: Receiver) -> None:
    number = rent(dtmf, "webhook", receiver.url)
    message = dtmf.sandbox.receive(number, "+1234", "SMS text")
    settle(dtmf)
    (posted,) = receiver.wait_for(1)
    assert posted.body == b'{"id":%d,"e164":"%b","sender":"+1234","content":"SMS text"}' % (
        message["id"],
        number.encode(),
    )


@ON_SQLITE
def test_a_failed_post_is_retried_in_the_same_form(dtmf: DTMF, receiver: Receiver, account: Callable[..., int]) -> None:
    answers = iter([500])
    receiver.answer = lambda _posted: Reply(next(answers, 200))
    number = rent(dtmf, "webhook", f"{receiver.url}#template=slack")
    dtmf.sandbox.receive(number, "+1234", "hello <all>")
    settle(dtmf)
    dtmf.sandbox.advance(3600)
    first, second = receiver.wait_for(2)
    assert first.body == second.body
    assert b"hello &lt;all&gt;" in second.body
