"""The story's chapter on webhooks: one that is signed and verified, a receiver that is down and comes back, a replay."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from stage import Unexpected, expect

PATIENCE_S = 20.0

Posted = tuple[dict[str, str], bytes]  # headers, body


class Teller(Protocol):
    """Who tells the story."""

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
    """An HTTP receiver on a free port of this machine; what comes is answered 204 and put in `posted`."""

    def __init__(self, posted: queue.Queue[Posted], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Request, bind_and_activate=False)
        self.posted = posted
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
        self.send_response(204)
        self.end_headers()
        self.server.posted.put((dict(self.headers), body))

    def log_message(self, *_: object) -> None:
        pass


def receive_by_webhook(story: Teller, e164: str) -> None:
    """SMS are posted to a receiver of the story's own."""
    posted: queue.Queue[Posted] = queue.Queue()
    receiver = Receiver(posted)
    port = receiver.server_port
    with receiver.up():
        story.tell("Or have each SMS posted to you, signed. (A sandbox may post to this machine, without TLS.)")
        story.keep("secret", "dtmf.webhook_secret()")
        story.play(f"dtmf.set_sms_action({e164!r}, 'webhook', 'http://127.0.0.1:{port}/sms')")
        message = story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is 905127')")
        arrive(story, posted, message, e164)

    receiver = Receiver(posted, port)
    story.tell("Your receiver goes down. The SMS is stored as ever, and its delivery waits.")
    message = story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is 774913')")
    story.play("dtmf.sandbox.advance(0)  # returns once the first attempt was made")
    waiting = story.play(f"list(dtmf.deliveries('waiting', e164={e164!r}))")
    expect(len(waiting) == 1 and waiting[0]["attempts"], f"these deliveries wait: {waiting}")

    with receiver.up():
        story.tell("It is back, and the next attempt brings the SMS.")
        story.play("dtmf.sandbox.advance(6)")
        first_id = arrive(story, posted, message, e164)

        story.tell("Whatever became of a delivery, you can have it again. Its webhook-id tells that it is a repeat.")
        story.play(f"dtmf.retry_delivery({waiting[0]['id']})['state']")
        expect(arrive(story, posted, message, e164) == first_id, "the repeat has another id")
        story.play("dtmf.sandbox.advance(0)")
        log = story.play(
            f"tuple(attempt['status'] for attempt in list(dtmf.deliveries(e164={e164!r}))[-1]['attempts'])"
        )
        expect(log[0] is None and log[-2:] == (204, 204), f"the log has these attempts: {log}")


def arrive(story: Teller, posted: queue.Queue[Posted], message: Any, e164: str) -> str:
    """Waits for the message at the receiver and verifies it; gives its webhook-id."""
    try:
        headers, body = posted.get(timeout=PATIENCE_S)
    except queue.Empty:
        raise Unexpected(f"nothing was posted within {PATIENCE_S:.0f} s") from None
    story.hear(
        f"POST /sms  webhook-id: {headers['webhook-id']}  webhook-signature: {headers['webhook-signature'][:16]}…"
    )
    story.know(headers=headers, body=body)
    verified = story.play("verify(body, headers, secret)  # raises unless this service signed it, just now")
    sent = {"id": message["id"], "e164": e164, "sender": "+1234", "content": message["content"]}
    expect(verified == sent, f"that should have been {sent}")
    return headers["webhook-id"]
