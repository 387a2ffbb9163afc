"""A minimal HTTP service: Starlette and msgspec on uvicorn, configured like the real one (main.http_server)."""

import argparse

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Account(msgspec.Struct):
    balance: int


encode = msgspec.json.Encoder().encode


def application(balance: int) -> Starlette:
    async def account(_request: Request) -> Response:
        return Response(encode(Account(balance)), media_type="application/json")

    return Starlette(routes=[Route("/api/v1/account", account)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--body", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(
        application(msgspec.json.decode(options.body, type=Account).balance),
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
