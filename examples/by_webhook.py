"""The story's chapter on webhooks: one that is signed and verified, a receiver that is down and comes back, a replay."""

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
    """Who tells the story, of this number."""

    e164: str
    brief: bool
    dtmf: Any

    def tell(self, text: str) -> None:
        """Says what comes next."""

    def play(self, line: str) -> Any:
        """Prints a line of Python, runs it, prints and gives its result."""

    def keep(self, name: str, line: str) -> Any:
        """Prints a line of Python that gives its result a name, and runs it."""

    def know(self, **names: Any) -> None:
        """Lets lines use these names from now on."""

    def hear(self, text: str) -> None:
        """Prints something that came from outside."""


class Receiver(ThreadingHTTPServer):
    """An HTTP receiver on a free port of this machine; what comes to `path` is answered 204 and put in `posted`. All else
    is for a receiver that had this port before, and is gone."""

    def __init__(self, posted: queue.Queue[Posted], path: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Request, bind_and_activate=False)
        self.posted = posted
        self.path = path
        self.server_bind()  # so the port is ours; whoever connects is refused until `up`

    @contextlib.contextmanager
    def up(self) -> Iterator[None]:
        """Listens until the block ends; then whoever connects is refused."""
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
    """SMS are posted to a receiver of the story's own."""
    e164, path = story.e164, f"/sms-{secrets.token_hex(3)}"
    posted: queue.Queue[Posted] = queue.Queue()
    receiver = Receiver(posted, path)
    port = receiver.server_port
    with receiver.up():
        story.tell("Or have each SMS posted to you, signed. (A sandbox may post to this machine, without TLS.)")
        story.keep("secret", "dtmf.webhook_secret()")
        story.play(f"dtmf.set_sms_action({e164!r}, 'webhook', 'http://127.0.0.1:{port}{path}')")
        message = story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is 905127')")
        arrive(story, posted, message)

    receiver = Receiver(posted, path, port)
    story.tell("Your receiver goes down. The SMS is stored as ever, and its delivery waits.")
    message = story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is 774913')")
    delivery = first_attempt(story, message["id"])
    story.keep("waiting", f"next(d for d in dtmf.deliveries(e164={e164!r}) if d['id'] == {delivery['id']})")
    story.play("waiting['state'], waiting['attempts'][0]['reason']")
    expect(delivery["state"] == "waiting", f"the delivery is {delivery['state']}")

    with receiver.up():
        story.tell("It is back. The next attempt would come by itself, seconds later; or ask for it now.")
        story.play("dtmf.retry_delivery(waiting['id'])['state']")
        first_id = arrive(story, posted, message)

        story.tell("Whatever became of a delivery, you can have it again. Its webhook-id tells that it is a repeat.")
        story.play("dtmf.retry_delivery(waiting['id'])['state']")
        expect(arrive(story, posted, message) == first_id, "the repeat has another id")


def first_attempt(story: Teller, message_id: int) -> Any:
    """Waits until an attempt was made to deliver this message; its delivery then. Those of earlier rentals don't count."""
    until_s = monotonic() + PATIENCE_S
    while True:
        found = [d for d in story.dtmf.deliveries(e164=story.e164) if d["message_id"] == message_id]
        if found and found[0]["attempts"]:
            return found[0]
        expect(monotonic() < until_s, f"no attempt was made within {PATIENCE_S:.0f} s")
        sleep(0.02)


def arrive(story: Teller, posted: queue.Queue[Posted], message: Any) -> str:
    """Waits for the message at the receiver and verifies it; gives its webhook-id."""
    try:
        headers, body = posted.get(timeout=PATIENCE_S)
    except queue.Empty:
        raise Unexpected(f"nothing was posted within {PATIENCE_S:.0f} s") from None
    story.hear(f"POST  webhook-id: {headers['webhook-id']}  webhook-signature: {headers['webhook-signature'][:16]}…")
    story.know(headers=headers, body=body)
    verified = story.play("verify(body, headers, secret)  # raises unless this service signed it, just now")
    sent = {"id": message["id"], "e164": story.e164, "sender": "+1234", "content": message["content"]}
    expect(verified == sent, f"that should have been {sent}")
    return headers["webhook-id"]
