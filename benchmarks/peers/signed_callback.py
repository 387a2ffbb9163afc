"""A minimal endpoint for Twilio's callbacks: checks the signature, and stores nothing. Configured like bare.py."""

import argparse
import hmac
from base64 import b64encode
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def application(url: str, token: str) -> Starlette:
    async def callback(request: Request) -> Response:
        fields = parse_qsl((await request.body()).decode(), keep_blank_values=True)
        signed = url + "".join(name + value for name, value in sorted(fields))
        signature = b64encode(hmac.digest(token.encode(), signed.encode(), "sha1")).decode()
        is_signed = hmac.compare_digest(signature, request.headers.get("x-twilio-signature", ""))
        return Response(status_code=204 if is_signed else 403)

    return Starlette(routes=[Route("/callbacks/carriers/twilio", callback, methods=["POST"])])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(
        application(options.url, options.token),
        port=options.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=75,
    )
