"""kill -9 at each step of sending and receiving through Telnyx: acknowledged means stored, and nothing is sent twice."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from carriers.telnyx import dying_server
from support.providers.telnyx import Telnyx, telnyx
from support.server_process import Service, request, rows

PROGRAM = [sys.executable, "-P", str(Path(dying_server.__file__))]
PHONE, WITHIN_S = "+31612345678", 120
# The net charge booked for each message, after refunds.
BOOKED = (
    "SELECT m.content, m.status, (SELECT coalesce(sum(CASE kind WHEN 'message_sent' THEN amount ELSE -amount END), 0)"
    " FROM transfers WHERE kind IN ('message_sent', 'message_refunded') AND ref = CAST(m.id AS TEXT)) AS sats"
    " FROM messages m WHERE NOT m.inbound"
)


def configured(folder: Path, provider: Telnyx) -> Path:
    path = folder / "dtmf.toml"
    path.write_text(
        f'[server]\npublic_url = "https://sms.example"\n[[carrier]]\nname = "telnyx"\nkind = "telnyx"\n'
        f'api_key = "{provider.api_key}"\npublic_key = "{provider.public_key}"\n'
        f'messaging_profile_id = "{provider.profile_id}"\nbase_url = "{provider.url}"\n'
    )
    return path


def rented(service: Service) -> str:
    """Rent a number, paid with sandbox coins; return it."""
    address = request(service.url, service.token, "POST", "/addresses").json["address"]
    request(service.url, service.token, "POST", "/sandbox/deposit", {"address": address, "amount": 1_000_000})
    return str(request(service.url, service.token, "POST", "/numbers", {"group_id": "gb-mobile"}).json["e164"])


def eventually(look: Callable[[], bool]) -> None:
    until_s = time.monotonic() + WITHIN_S
    while not look():
        assert time.monotonic() < until_s, "nothing found in time"
        time.sleep(0.05)


def callback_url(service: Service) -> str:
    return service.url.removesuffix("/api/v1") + "/callbacks/carriers/telnyx"


@pytest.mark.parametrize("step", dying_server.RECEIVING)
def test_an_sms_whose_process_was_killed_is_repeated_and_stored_once(tmp_path: Path, step: str) -> None:
    data = tmp_path / "data"
    with telnyx() as provider:
        config = configured(tmp_path, provider)
        with Service(data, "--config", config, program=[*PROGRAM, step]) as service:
            callback = provider.received(rented(service.wait_ready()), "Bank", "DIE 123456")
            headers, body = provider.signed(callback)
            assert provider.post(callback_url(service), headers, body) == 0
            service.wait(60)
        stored = rows(data / "dtmf.db", "SELECT content FROM messages")
        assert [text for (text,) in stored] == ([] if step == "arrived" else ["DIE 123456"])
        with Service(data, "--config", config) as service:
            service.wait_ready()
            assert provider.deliver(callback, callback_url(service)) == [200]
            messages = request(service.url, service.token, "GET", "/messages").json
        assert [message["content"] for message in messages] == ["DIE 123456"]


@pytest.mark.parametrize("step", dying_server.SENDING)
def test_an_sms_whose_process_was_killed_is_sent_once_at_most_and_settled_by_its_callback(
    tmp_path: Path, step: str
) -> None:
    data = tmp_path / "data"
    with telnyx() as provider:
        config = configured(tmp_path, provider)
        with Service(data, "--config", config, program=[*PROGRAM, step]) as service:
            e164 = rented(service.wait_ready())
            provider.numbers = [e164]
            for text in ("one", "two DIE", "three"):
                try:
                    request(
                        service.url, service.token, "POST", "/message", {"from": e164, "to": PHONE, "content": text}
                    )
                except OSError:  # it is already dead
                    break
            service.wait(60)
        with Service(data, "--config", config) as service:
            service.wait_ready()
            eventually(lambda: not rows(data / "dtmf.db", "SELECT 1 FROM messages WHERE status = 'queued'"))
            for sent in provider.sent:
                assert provider.deliver(provider.state(sent["id"], "delivered"), callback_url(service)) == [200]
            booked = rows(data / "dtmf.db", BOOKED)
    sent_texts = Counter(sent["text"] for sent in provider.sent)
    assert max(sent_texts.values(), default=0) <= 1
    assert sent_texts["two DIE"] == (step != "before")
    for text, status, sats in booked:
        assert sats > 0, (text, status)
        assert status == ("delivered" if sent_texts[text] else "in_doubt"), (text, status)
