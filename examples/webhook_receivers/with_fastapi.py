"""Receive SMS by webhook with FastAPI: pip install fastapi uvicorn, then python with_fastapi.py

Set DTMF_WEBHOOK_SECRET to the result of dtmf.webhook_secret(), then call
dtmf.set_sms_action(e164, "webhook", "https://…/sms").
"""

import os

import uvicorn
from fastapi import FastAPI, HTTPException, Request

from dtmf.webhook import WebhookVerificationError, verify

SECRET = os.environ["DTMF_WEBHOOK_SECRET"]

app = FastAPI()


@app.post("/sms", status_code=204)
async def receive(request: Request) -> None:
    if int(request.headers.get("content-length", "65537")) > 65_536:
        raise HTTPException(413)
    try:
        sms = verify(await request.body(), request.headers, SECRET)
    except WebhookVerificationError as error:
        raise HTTPException(400, str(error)) from error
    # An SMS can arrive twice, with the same webhook-id: store it under that ID before you answer.
    print(f"{sms['sender']} wrote to {sms['e164']}: {sms['content']}", flush=True)


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8080")))
