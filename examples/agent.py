"""Give a program a token that can't cost more than 8,000 satoshis, or AGENT_SATS.

    DTMF_TOKEN=dtmf_… python examples/agent.py       in a sandbox

The owner creates the token. One program rents a number with it, waits for a code and ends the rental. Another program tries
every operation with it. Then the owner compares what the token has cost with the statement.
"""

import json
import os
import re
import sys
import threading
import urllib.error
import urllib.request
from subprocess import run

from dtmf import DTMF

URL = os.environ.get("DTMF_URL", "http://127.0.0.1:8000")
SCOPES, SATS_MAX = ["read", "rent"], int(os.environ.get("AGENT_SATS", "8000"))

NUMBER, OTHER = "+12025550100", "+12025550101"
# Requests that the service reads before it looks at the scopes; the others are sent without parameters.
REQUESTS: dict[str, str | dict[str, object]] = {
    "delete /api/v1/tokens": "?id=1",
    "post /api/v1/deliveries/retry": {"since": "2026-01-01T00:00:00Z"},
    "post /api/v1/deliveries/test": {"e164": NUMBER},
    "post /api/v1/message": {"from": NUMBER, "to": OTHER, "content": "hello"},
    "post /api/v1/numbers/adopt": {"e164": NUMBER},
    "post /api/v1/sandbox/clock": {"advance_s": 60},
    "post /api/v1/sandbox/deposit": {"address": "x", "amount": 1000},
    "post /api/v1/sandbox/message": {"from": OTHER, "to": NUMBER, "content": "hello"},
    "post /api/v1/sandbox/pay": {"invoice": "x"},
    "put /api/v1/account/webhook": {"url": "https://example.org/"},
}


def agent() -> None:
    """Rent a number, print it, wait for a code and print it. The rental ends with the block."""
    with DTMF() as dtmf, dtmf.rental("us-mobile") as number:
        print(number.e164, number.wait_for_code())


def intruder() -> None:
    """Try every operation of the OpenAPI document: exactly those of the token's scopes must not be refused for its scopes."""
    with urllib.request.urlopen(f"{URL}/schema/openapi.json") as response:  # the address of the service
        paths = json.load(response)["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            needed = [each["token"] for each in operation.get("security", []) if "token" in each]
            allowed = not needed or any(not scopes or scopes[0] in SCOPES for scopes in needed)
            refused = code_of(f"{method} {path}") == "scope_required"
            assert refused != allowed, f"{method} {path}: refused is {refused}, the document says {needed}"
            print(f"{method} {path}: {'refused' if refused else 'allowed'}")


def code_of(operation: str) -> str | None:
    """Send a request with the token, and return the code of the error; None if it succeeds."""
    method, path = operation.upper().split()[0], re.sub(r"{[^}]*}", "0", operation.split()[1])
    sent = REQUESTS.get(operation, {})
    request = urllib.request.Request(f"{URL}{path}{sent if isinstance(sent, str) else ''}", method=method)
    request.add_header("Authorization", f"Bearer {os.environ['DTMF_TOKEN']}")
    if method in ("POST", "PUT", "PATCH"):
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(sent).encode()
    try:
        with urllib.request.urlopen(request, timeout=30):  # a stream is closed once it has begun
            return None
    except urllib.error.HTTPError as error:
        return str(json.load(error)["code"])


def phone(dtmf: DTMF, stop: threading.Event) -> None:
    """Send a code to the agent's number, as a website would."""
    sent: set[str] = set()
    while not stop.wait(0.05):
        for number in dtmf.numbers():
            if number["e164"] not in sent:
                sent.add(number["e164"])
                dtmf.sandbox.receive(number["e164"], "MyShop", "482-913 is your MyShop code.")


def main() -> None:
    """Create the token, run both programs, and explain every satoshi that the token has cost."""
    with DTMF() as dtmf:
        dtmf.sandbox.deposit(dtmf.new_address()["address"], 100_000)
        token = dtmf.create_token("agent", scopes=SCOPES, sats_max=SATS_MAX)
        before = list(dtmf.transactions())
        after = before[-1]["id"]
        stop = threading.Event()
        thread = threading.Thread(target=phone, args=(dtmf, stop))
        thread.start()
        try:
            for role in ("agent", "intruder"):
                environment = os.environ | {"DTMF_TOKEN": token["token"]}
                run([sys.executable, __file__, role], env=environment, check=True)  # this file
        finally:
            stop.set()
            thread.join()
        cost = 0
        for each in dtmf.transactions(after):
            cost -= each["amount"]
            print(f"{each['amount']:>6}  {each['kind']}  {each['reference']}")
        shown = dtmf.token(token["id"])
        assert (shown["reserved"], shown["spent"]) == (0, cost), shown
        assert cost <= SATS_MAX
        print(f"The token has cost {cost} of {SATS_MAX} satoshis.")
        dtmf.revoke_token(token["id"])


if __name__ == "__main__":
    {"agent": agent, "intruder": intruder}.get(" ".join(sys.argv[1:]), main)()
