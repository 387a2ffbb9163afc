"""Receive SMS by webhook with Flask: pip install flask, then python with_flask.py

Set DTMF_WEBHOOK_SECRET to the result of dtmf.webhook_secret(), then call
dtmf.set_sms_action(e164, "webhook", "https://…/sms").
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
    # An SMS can arrive twice, with the same webhook-id: store it under that ID before you answer.
    print(f"{sms['sender']} wrote to {sms['e164']}: {sms['content']}", flush=True)
    return "", 204


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8080")))
