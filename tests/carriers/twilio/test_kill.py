"""kill -9 at each step of a callback and of a submit: stored is what was acknowledged, sent is what was taken, once."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from carriers.twilio import dying_server
from smpp.test_kill import rented
from support.providers.twilio import Message, Twilio
from support.server_process import Service, request, rows
from support.twilio_carrier import PHONE, PUBLIC_URL

PROGRAM = [sys.executable, str(Path(dying_server.__file__))]
CALLBACK_URL = f"{PUBLIC_URL}/callbacks/carriers/twilio"


def configured(folder: Path, provider: Twilio) -> Path:
    path = folder / "dtmf.toml"
    path.write_text(
        f'[server]\npublic_url = "{PUBLIC_URL}"\n'
        f'[[carrier]]\nname = "twilio"\nkind = "twilio"\naccount_sid = "{provider.account_sid}"\n'
        f'auth_token = "{provider.token}"\nbase_url = "{provider.url}"\n'
    )
    return path


def eventually(look: Callable[[], object], *, within_s: float = 60.0) -> None:
    until_s = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < until_s, "nothing found in time"
        time.sleep(0.05)


@pytest.mark.parametrize("step", dying_server.CALLBACK_STEPS)
def test_a_process_killed_at_any_step_of_a_callback_loses_no_sms_and_shows_none_twice(
    tmp_path: Path, step: str
) -> None:
    data = tmp_path / "data"
    with Twilio() as provider:
        config = configured(tmp_path, provider)
        with Service(data, "--config", config, program=[*PROGRAM, step]) as service:
            e164 = rented(service.wait_ready())
            provider.buy(e164, sms_url=CALLBACK_URL)
            provider.reach[PUBLIC_URL] = service.url
            assert provider.call(provider.receive(e164, PHONE, "one", call=False)) == [204]
            killer = provider.receive(e164, PHONE, "DIE 123456", call=False)
            assert provider.call(killer) == [0]  # not acknowledged
            service.wait(60)
        stored = [text for (text,) in rows(data / "dtmf.db", "SELECT content FROM messages ORDER BY id")]
        assert stored == (["one", "DIE 123456"] if step == "stored" else ["one"])
        with Service(data, "--config", config) as service:  # catches up by itself
            service.wait_ready()
            provider.reach[PUBLIC_URL] = service.url
            eventually(lambda: len(request(service.url, service.token, "GET", "/messages").json) == 2)
            assert provider.call(killer) == [204]
            messages = request(service.url, service.token, "GET", "/messages").json
        assert sorted(message["content"] for message in messages) == ["DIE 123456", "one"]


@pytest.mark.parametrize("step", dying_server.SUBMIT_STEPS)
def test_a_process_killed_at_any_step_of_a_submit_sends_nothing_twice(tmp_path: Path, step: str) -> None:
    data = tmp_path / "data"
    with Twilio() as provider:
        config = configured(tmp_path, provider)
        with Service(data, "--config", config, program=[*PROGRAM, step]) as service:
            e164 = rented(service.wait_ready())
            provider.buy(e164)
            body = {"from": e164, "to": PHONE, "content": "DIE once"}
            sent = request(service.url, service.token, "POST", "/message", body)
            assert sent.status in (200, 201, 202), sent
            service.wait(60)
        taken: list[Message] = provider.outbound()
        assert len(taken) == (step != "before")
        with Service(data, "--config", config) as service:
            service.wait_ready()
            provider.reach[PUBLIC_URL] = service.url
            for message in taken:
                assert provider.report(message, "delivered") == 204
            status = "delivered" if taken else "in_doubt"
            statement = "SELECT status FROM messages WHERE NOT inbound"
            eventually(lambda: rows(data / "dtmf.db", statement) == [(status,)])
        assert len(provider.outbound()) == len(taken)
        ((charged,),) = rows(data / "dtmf.db", "SELECT count(*) FROM transfers WHERE kind = 'message_sent'")
        ((refunded,),) = rows(data / "dtmf.db", "SELECT count(*) FROM transfers WHERE kind = 'message_refunded'")
        assert (charged, refunded) == (1, 0)
