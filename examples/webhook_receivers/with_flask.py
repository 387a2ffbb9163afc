"""Receives SMS by webhook, with Flask: pip install flask, then python with_flask.py

DTMF_WEBHOOK_SECRET is what dtmf.webhook_secret() gives. Then dtmf.set_sms_action(e164, "webhook", "https://…/sms").
"""

import os

from flask import Flask, request

from dtmf.webhook import WebhookVerificationError, verify

SECRET = os.environ["DTMF_WEBHOOK_SECRET"]

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 65_536


@app.post("/sms")
def receive() -> tuple[str, int]:
    try:
        sms = verify(request.get_data(), dict(request.headers), SECRET)
    except WebhookVerificationError as error:
        return str(error), 400
    # An SMS may come twice, with the same webhook-id: store it by that before you answer.
    print(f"{sms['sender']} wrote to {sms['e164']}: {sms['content']}", flush=True)
    return "", 204


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8080")))
