"""One SDK in a process: `sdk.py NAME once PORT` makes one call and prints the process's peak memory in KiB;
`sdk.py NAME sync|async PORT` reads a number of calls per line, makes them, and prints the seconds they took.

Each SDK is pointed at loopback in its supported way: dtmf, telnyx: `base_url`; stripe: `base_addresses`. twilio and
plivo have no such option, so the base address of their requests is replaced, which costs nothing."""

import sys
from time import perf_counter

TOKEN = "dtmf_0123456789ABCDEFGHIJKLMNOPQRSTabcdef"
SID = "AC00000000000000000000000000000000"
AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"


def bare(port):
    import http.client
    import json

    connection = http.client.HTTPConnection("127.0.0.1", port)

    def call():
        connection.request("GET", "/api/v1/account", headers={"Authorization": f"Bearer {TOKEN}"})
        return json.loads(connection.getresponse().read())["balance"]

    return call


def dtmf(port):
    from dtmf import DTMF

    client = DTMF(TOKEN, base_url=f"http://127.0.0.1:{port}")
    return lambda: client.account()["balance"]


def twilio(port):
    from twilio.rest import Client

    client = Client(SID, "secret")
    client.api.base_url = f"http://127.0.0.1:{port}"
    return lambda: client.balance.fetch().balance


def plivo(port):
    import plivo

    plivo.rest.client.PLIVO_API_BASE_URI = f"http://127.0.0.1:{port}/v1/Account"
    client = plivo.RestClient(AUTH_ID, "secret")
    return lambda: client.account.get().cash_credits


def stripe(port):
    import stripe

    client = stripe.StripeClient("sk_test_0", base_addresses={"api": f"http://127.0.0.1:{port}"})
    return lambda: client.v1.balance.retrieve().available[0].amount


def telnyx(port):
    from telnyx import Telnyx

    client = Telnyx(api_key="KEY0", base_url=f"http://127.0.0.1:{port}/v2")
    return lambda: client.balance.retrieve().data.balance


async def dtmf_async(port):
    from dtmf import AsyncDTMF

    client = AsyncDTMF(TOKEN, base_url=f"http://127.0.0.1:{port}")

    async def call():
        return (await client.account())["balance"]

    return call


async def twilio_async(port):
    from twilio.http.async_http_client import AsyncTwilioHttpClient
    from twilio.rest import Client

    http_client = AsyncTwilioHttpClient()
    closing.append(http_client.close)
    client = Client(SID, "secret", http_client=http_client)
    client.api.base_url = f"http://127.0.0.1:{port}"

    async def call():
        return (await client.balance.fetch_async()).balance

    return call


async def telnyx_async(port):
    from telnyx import AsyncTelnyx

    client = AsyncTelnyx(api_key="KEY0", base_url=f"http://127.0.0.1:{port}/v2")

    async def call():
        return (await client.balance.retrieve()).data.balance

    return call


def take_turns(call):
    for line in sys.stdin:
        started_s = perf_counter()
        for _ in range(int(line)):
            assert call()
        print(perf_counter() - started_s, flush=True)


closing = []  # awaited at the end


async def take_turns_async(make, port):
    call = await make(port)
    for line in sys.stdin:  # nothing else runs in this event loop
        started_s = perf_counter()
        for _ in range(int(line)):
            assert await call()
        print(perf_counter() - started_s, flush=True)
    for close in closing:
        await close()


def highest_kib():
    with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib would be counted
        return next(line.split()[1] for line in status if line.startswith("VmHWM:"))


def main(name, how, port):
    if how == "async":
        import asyncio

        asyncio.run(take_turns_async(globals()[f"{name}_async"], port))
        return
    call = globals()[name](port)
    if how == "sync":
        take_turns(call)
    else:
        assert call()
        print(highest_kib())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
