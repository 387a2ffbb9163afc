"""A minimal webhook sender: aiohttp, 50 requests in flight, no signature, no database, no retries.
`posting.py FILE URL` posts every line of the file."""

import asyncio
import sys
from pathlib import Path

import aiohttp
import uvloop

IN_FLIGHT = 50


async def post_all(bodies, url):
    left = iter(bodies)

    async def post():
        for body in left:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                await response.read()
                assert response.status == 204

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(post() for _ in range(IN_FLIGHT)))


if __name__ == "__main__":
    uvloop.run(post_all(Path(sys.argv[1]).read_bytes().splitlines(), sys.argv[2]))
