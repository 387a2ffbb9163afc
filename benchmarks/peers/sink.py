"""A webhook receiver using aiohttp: records when each POST arrived and answers 204. `GET /` returns what has arrived
since the previous `GET /`: the id in each body, and this machine's monotonic clock in nanoseconds."""

import argparse
import json
import time

import uvloop
from aiohttp import web

came = []


async def take(request):
    came.append((await request.read(), time.monotonic_ns()))
    return web.Response(status=204)


async def say(_request):
    said = [[json.loads(body)["id"], at_ns] for body, at_ns in came]
    came.clear()
    return web.json_response(said)


async def how_many(_request):
    return web.json_response(len(came))


def application():
    app = web.Application()
    app.add_routes([web.post("/", take), web.get("/", say), web.get("/count", how_many)])
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    web.run_app(
        application(),
        host="127.0.0.1",
        port=options.port,
        loop=uvloop.new_event_loop(),
        access_log=None,
        print=None,
    )
