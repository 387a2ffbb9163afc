"""The webhook chapter of the story: signature and verification, a receiver that is down and comes back, a replay."""

import contextlib
import queue
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import Any, Protocol

from stage import Unexpected, expect

PATIENCE_S = 20.0

Posted = tuple[dict[str, str], bytes]  # headers, body


class Teller(Protocol):
    """The narrator of the story, with the rented number."""

    e164: str
    brief: bool
    dtmf: Any

    def tell(self, text: str) -> None:
        """Print the next step of the story."""

    def play(self, line: str) -> Any:
        """Print a line of Python, run it, print and return its result."""

    def keep(self, name: str, line: str) -> Any:
        """Print and run an assignment to `name`; return the value."""

    def know(self, **names: Any) -> None:
        """Make these names available to later lines."""

    def hear(self, text: str) -> None:
        """Print something received from outside."""


class Receiver(ThreadingHTTPServer):
    """An HTTP receiver on a free port of this machine. Requests to `path` are answered with 204 and put in `posted`; all
    others were meant for an earlier receiver on the same port and get 404."""

    def __init__(self, posted: queue.Queue[Posted], path: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Request, bind_and_activate=False)
        self.posted = posted
        self.path = path
        self.server_bind()  # reserves the port; connections are refused until `up`

    @contextlib.contextmanager
    def up(self) -> Iterator[None]:
        """Listen until the block ends; after that, connections are refused."""
        self.server_activate()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield
        finally:
            self.shutdown()
            self.server_close()


class _Request(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_ours = self.path == self.server.path
        self.send_response(204 if is_ours else 404)
        self.end_headers()
        if is_ours:
            self.server.posted.put((dict(self.headers), body))

    def log_message(self, *_: object) -> None:
        pass


def receive_by_webhook(story: Teller) -> None:
    """Post SMS to the story's own receiver."""
    e164, path = story.e164, f"/sms-{secrets.token_hex(3)}"
    posted: queue.Queue[Posted] = queue.Queue()
    receiver = Receiver(posted, path)
    port = receiver.server_port
    with receiver.up():
        story.tell("Have each SMS posted to your URL, signed. (A sandbox can post to this machine without TLS.)")
        story.keep("secret", "dtmf.webhook_secret()")
        story.play(f"dtmf.set_sms_action({e164!r}, 'webhook', 'http://127.0.0.1:{port}{path}')")
        message = story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is 905127')")
        arrive(story, posted, message)

    receiver = Receiver(posted, path, port)
    story.tell("Your receiver goes down. The SMS is stored, and its delivery waits.")
    message = story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is 774913')")
    delivery = first_attempt(story, message["id"])
    story.keep("waiting", f"next(d for d in dtmf.deliveries(e164={e164!r}) if d['id'] == {delivery['id']})")
    story.play("waiting['state'], waiting['attempts'][0]['reason']")
    expect(delivery["state"] == "waiting", f"the delivery is {delivery['state']}")

    with receiver.up():
        story.tell("Your receiver is back. The service would retry within seconds; or retry now.")
        story.play("dtmf.retry_delivery(waiting['id'])['state']")
        first_id = arrive(story, posted, message)

        story.tell("You can replay any delivery. Its webhook-id shows that it is a repeat.")
        story.play("dtmf.retry_delivery(waiting['id'])['state']")
        expect(arrive(story, posted, message) == first_id, "the repeat has another id")


def first_attempt(story: Teller, message_id: int) -> Any:
    """Wait for the first attempt to deliver this message and return its delivery. Earlier rentals are ignored."""
    until_s = monotonic() + PATIENCE_S
    while True:
        found = [d for d in story.dtmf.deliveries(e164=story.e164) if d["message_id"] == message_id]
        if found and found[0]["attempts"]:
            return found[0]
        expect(monotonic() < until_s, f"no attempt was made within {PATIENCE_S:.0f} s")
        sleep(0.02)


def arrive(story: Teller, posted: queue.Queue[Posted], message: Any) -> str:
    """Wait for the message at the receiver, verify it and return its webhook-id."""
    try:
        headers, body = posted.get(timeout=PATIENCE_S)
    except queue.Empty:
        raise Unexpected(f"nothing was posted within {PATIENCE_S:.0f} s") from None
    story.hear(f"POST  webhook-id: {headers['webhook-id']}  webhook-signature: {headers['webhook-signature'][:16]}…")
    story.know(headers=headers, body=body)
    verified = story.play("verify(body, headers, secret)  # raises unless this service has just signed it")
    sent = {"id": message["id"], "e164": story.e164, "sender": "+1234", "content": message["content"]}
    expect(verified == sent, f"that should have been {sent}")
    return headers["webhook-id"]
