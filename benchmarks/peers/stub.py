"""Answers every SDK's balance request on keep-alive connections, as cheaply as Python can."""

import argparse
import asyncio
import json

import uvloop

ANSWERS = {
    "/api/v1/account": {"balance": 12345},
    "/2010-04-01/Accounts/AC00000000000000000000000000000000/Balance.json": {
        "account_sid": "AC00000000000000000000000000000000",
        "balance": "123.45",
        "currency": "USD",
    },
    "/v1/Account/MAXXXXXXXXXXXXXXXXXX/": {"api_id": "1", "auth_id": "MAXXXXXXXXXXXXXXXXXX", "cash_credits": "123.45"},
    "/v1/balance": {"object": "balance", "available": [{"amount": 12345, "currency": "usd"}], "livemode": False},
    "/v2/balance": {"data": {"balance": "123.45", "currency": "USD", "record_type": "balance"}},
}


def _answer(status: str, value: object) -> bytes:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


_READY = {path.encode(): _answer("200 OK", value) for path, value in ANSWERS.items()}
_UNKNOWN = _answer("404 Not Found", {"message": "no such path"})


class Answering(asyncio.Protocol):
    """One connection; requests without a body, one at a time."""

    def connection_made(self, transport):
        self.transport, self.got = transport, b""

    def data_received(self, data):
        self.got += data
        while b"\r\n\r\n" in self.got:
            head, _, self.got = self.got.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            self.transport.write(_READY.get(path, _UNKNOWN))


async def serve(port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
