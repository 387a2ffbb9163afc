"""Run the service with a carrier: an SMSC, `dtmf-server` bound to it, and a renter.

    python examples/smpp_smsc/run.py

The renter reads an SMS that the SMSC delivers. The renter then sends an SMS to the SMSC, and the SMSC's receipt marks it
as delivered. Everything runs on this machine, in a temporary folder.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from dtmf import DTMF

HERE = Path(__file__).parent
SERVER = [sys.executable, "-c", "from dtmf_server.cli.main import main; raise SystemExit(main())"]
CONFIG = """
[[carrier]]
name = "example"
kind = "smpp"
host = "127.0.0.1"
port = {port}
system_id = "dtmf"
password = "secret"
"""
WAIT_S = 30.0


def main() -> None:
    """Run the example once."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        smsc = start(stack, [sys.executable, str(HERE / "smsc.py"), "0"])
        port = event(smsc, "listening")["port"]
        (folder / "dtmf.toml").write_text(CONFIG.format(port=port))
        arguments = ["run", "--data", str(folder), "--config", str(folder / "dtmf.toml"), "--port", "0"]
        server = start(stack, [*SERVER, *arguments])
        url, token = said(server, r"DTMF_URL=(\S+)"), said(server, r"DTMF_TOKEN=(\S+)")
        print(f"the service is bound: {event(smsc, 'bound')['bind']}")
        with DTMF(token, base_url=url) as dtmf:
            play(dtmf, smsc)


def play(dtmf: DTMF, smsc: subprocess.Popen[str]) -> None:
    """Receive an SMS, send one, and wait for its receipt."""
    dtmf.sandbox.deposit(dtmf.new_address()["address"], 1_000_000)
    e164 = dtmf.start_rental("gb-mobile")["e164"]
    print(f"rented {e164}")
    tell(smsc, do="sms", **{"from": "+447700900999", "to": e164, "text": "Your code is 123456 🙂"})
    until(lambda: dtmf.number(e164)["messages"])
    print("received:", dtmf.number(e164)["messages"][0])
    tell(smsc, do="set", receipts=True)
    sent = dtmf.send_message(e164, "+447700900999", "Thank you!")
    seen = event(smsc, "pdu", command=4)
    print("the SMSC saw:", bytes.fromhex(seen["octets"])[-10:].decode())
    until(lambda: next(m for m in dtmf.messages(e164) if m["id"] == sent["id"])["status"] == "delivered")
    print("its receipt came: delivered")


def start(stack: ExitStack, command: list[str]) -> subprocess.Popen[str]:
    """Start a process that ends with the example."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stack.enter_context(process)
    stack.callback(process.communicate)  # reads its remaining output
    stack.callback(process.terminate)
    return process


def tell(smsc: subprocess.Popen[str], **what: Any) -> None:
    """Send one command to the SMSC."""
    assert smsc.stdin is not None
    smsc.stdin.write(json.dumps(what) + "\n")
    smsc.stdin.flush()


def event(smsc: subprocess.Popen[str], kind: str, **like: Any) -> dict[str, Any]:
    """Wait for the next event of this kind from the SMSC."""
    for line in lines(smsc):
        found: dict[str, Any] = json.loads(line)
        if found["event"] == kind and all(found.get(key) == value for key, value in like.items()):
            return found
    raise SystemExit("the SMSC has exited")


def said(server: subprocess.Popen[str], pattern: str) -> str:
    """Wait for a line of the service's output that matches; return the first group."""
    for line in lines(server):
        if found := re.search(pattern, line):
            return found[1]
    raise SystemExit("the service did not start")


def lines(process: subprocess.Popen[str]) -> IO[str]:
    """Return the standard output of a process."""
    assert process.stdout is not None
    return process.stdout


def until(done: Any) -> None:
    """Wait until the condition is true."""
    end = time.monotonic() + WAIT_S
    while not done():
        if time.monotonic() > end:
            raise SystemExit("the condition was not met in time")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
