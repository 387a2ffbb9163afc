"""Receive SMS by webhook with only the standard library: python with_stdlib.py

Set DTMF_WEBHOOK_SECRET to the result of dtmf.webhook_secret(), then call
dtmf.set_sms_action(e164, "webhook", "https://…/sms").
"""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dtmf.webhook import WebhookVerificationError, verify

SECRET = os.environ["DTMF_WEBHOOK_SECRET"]


class Receiver(BaseHTTPRequestHandler):
    timeout = 15

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if length > 65_536:
            self.send_error(413)
            return
        try:
            sms = verify(self.rfile.read(length), dict(self.headers), SECRET)
        except WebhookVerificationError as error:
            self.send_error(400, str(error))
            return
        # An SMS can arrive twice, with the same webhook-id: store it under that ID before you answer.
        print(f"{sms['sender']} wrote to {sms['e164']}: {sms['content']}", flush=True)
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    ThreadingHTTPServer(("127.0.0.1", port), Receiver).serve_forever()
