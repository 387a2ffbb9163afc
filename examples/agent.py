"""Give a program a token that can't cost more than 8,000 satoshis, or AGENT_SATS.

    DTMF_TOKEN=dtmf_… python examples/agent.py       in a sandbox

The owner creates the token. One program rents a number with it, waits for a code and ends the rental. Another program tries
what else the token can do. Then the owner compares what the token has cost with the statement.
"""

import json
import os
import sys
import threading
import urllib.request
from subprocess import run

from dtmf import DTMF, PermissionDeniedError

URL = os.environ.get("DTMF_URL", "http://127.0.0.1:8000")
SCOPES, SATS_MAX = ["read", "rent"], int(os.environ.get("AGENT_SATS", "8000"))


def agent() -> None:
    """Rent a number, print it, wait for a code and print it. The rental ends with the block."""
    with DTMF() as dtmf, dtmf.rental("us-mobile") as number:
        print(number.e164, number.wait_for_code())


def intruder() -> None:
    """Try operations of every scope. Each one must do what the OpenAPI document says about the token's scopes."""
    with urllib.request.urlopen(f"{URL}/schema/openapi.json") as response:  # the address of the service
        paths = json.load(response)["paths"]
    needs = {each["operationId"]: each.get("security") for path in paths.values() for each in path.values()}
    with DTMF() as dtmf:
        attempts = {
            "get_account": dtmf.account,
            "get_usage": dtmf.usage,
            "get_numbers": dtmf.numbers,
            "get_deposits": dtmf.deposits,
            "get_token": dtmf.token,
            "get_tokens": dtmf.tokens,
            "post_tokens": dtmf.create_token,
            "delete_tokens": lambda: dtmf.revoke_token(1),
            "post_addresses": dtmf.new_address,
            "post_invoices": lambda: dtmf.new_invoice(1000),
            "post_message": lambda: dtmf.send_message("+12025550100", "+12025550101", "hello"),
            "get_webhook_secret": dtmf.webhook_secret,
            "post_webhook_secret": dtmf.rotate_webhook_secret,
            "put_account_webhook": lambda: dtmf.set_account_webhook("https://example.org/"),
            "post_numbers_adopt": lambda: dtmf.adopt_rental("+12025550100"),
            "post_sandbox_clock": lambda: dtmf.sandbox.advance(60),
        }
        for name, attempt in attempts.items():
            allowed = any(not each["token"] or each["token"][0] in SCOPES for each in needs[name])
            try:
                attempt()
                worked = True
            except PermissionDeniedError as error:
                assert error.code == "scope_required", error
                worked = False
            assert worked == allowed, f"{name}: worked is {worked}, the document says {allowed}"
            print(f"{name}: {'works' if worked else 'refused'}")


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
