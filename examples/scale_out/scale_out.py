"""Run two API processes and two workers on one PostgreSQL under load, and kill one worker with -9 in the middle.

    DTMF_DATABASE__URL=postgresql://… python examples/scale_out/scale_out.py

Without DTMF_DATABASE__URL, it starts a temporary server, which `make setup` installs. The exit status is 0 if every
acknowledged SMS is stored and has reached the webhook.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dtmf import DTMF

ROOT = Path(__file__).parents[2]
SERVER = [sys.executable, "-c", "from dtmf_server.cli.main import main; raise SystemExit(main())"]
NUMBERS, SMS, THREADS = 10, 600, 4
KILL_AFTER = SMS // 3
START_WITHIN_S = 60
DELIVERED_WITHIN_S = 150  # a dead worker's leases expire after a minute


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Yield the URL of DTMF_DATABASE__URL, or of a temporary server."""
    if url := os.environ.get("DTMF_DATABASE__URL"):
        yield url
        return
    sys.path.insert(0, str(ROOT / "tests"))
    from postgres import start_server  # noqa: PLC0415 - only needed without a database

    with start_server() as url:
        yield url


@contextlib.contextmanager
def process(command: str, url: str, data: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run `dtmf-server api` or `worker` on the database and stop it at the end."""
    options = ["--database", url, "--data", str(data), *(["--port", "0"] if command == "api" else [])]
    started = subprocess.Popen([*SERVER, command, *options], stdout=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()


def where(api: "subprocess.Popen[str]") -> tuple[str, str]:
    """Read the address and token that an API process prints when it listens."""
    assert api.stdout is not None
    said = ""
    giving_up = threading.Timer(START_WITHIN_S, api.kill)
    giving_up.start()
    for line in api.stdout:
        said += line
        if found := re.search(r"DTMF_URL=(\S+)\n.*DTMF_TOKEN=(\S+)\n", said):
            giving_up.cancel()
            return found[1], found[2]
    raise SystemExit(f"an API process did not start: {said}")


@contextlib.contextmanager
def receiver() -> Iterator[tuple[str, Counter[int]]]:
    """Run a webhook receiver; yield its URL and the number of posts per message ID."""
    posted: Counter[int] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted[json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"]] += 1
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/webhook", posted
    finally:
        server.shutdown()


def rent_numbers(dtmf: DTMF, webhook: str) -> list[str]:
    """Rent numbers and set the webhook as their action."""
    dtmf.sandbox.deposit(dtmf.new_address()["address"], 10_000_000)
    numbers = [dtmf.start_rental("us-local")["e164"] for _ in range(NUMBERS)]
    for e164 in numbers:
        dtmf.set_sms_action(e164, "webhook", webhook)
    return numbers


def load(clients: list[DTMF], numbers: list[str], kill: "subprocess.Popen[str]") -> set[int]:
    """Send SMS through both API processes, kill a worker after a third of them, and return the acknowledged IDs."""
    acknowledged: set[int] = set()

    def receive(number: int) -> None:
        message = clients[number % len(clients)].sandbox.receive(numbers[number % NUMBERS], "+1234", f"SMS {number}")
        acknowledged.add(message["id"])
        if number == KILL_AFTER:
            kill.kill()
            print(f"worker {kill.pid} killed with -9, {len(acknowledged)} SMS acknowledged so far")

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(receive, range(SMS)))
    return acknowledged


def wait_for(acknowledged: set[int], posted: Counter[int]) -> None:
    """Wait until all messages have arrived or DELIVERED_WITHIN_S has passed."""
    started_s = time.monotonic()
    while acknowledged - posted.keys() and time.monotonic() < started_s + DELIVERED_WITHIN_S:
        time.sleep(0.1)
    print(f"the last one arrived {time.monotonic() - started_s:.0f} s after the load ended")


def main() -> int:
    """Return the exit status: 0 if no acknowledged SMS is lost."""
    with contextlib.ExitStack() as running:
        url = running.enter_context(database())
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="dtmf-scale-out-")))
        apis = [running.enter_context(process("api", url, folder / f"api-{number}")) for number in (1, 2)]
        workers = [running.enter_context(process("worker", url, folder)) for _ in (1, 2)]
        places = [where(api) for api in apis]
        print("API processes:", *(address for address, _ in places), "workers:", *(worker.pid for worker in workers))
        webhook, posted = running.enter_context(receiver())
        clients = [running.enter_context(DTMF(token, base_url=address)) for address, token in places]
        numbers = rent_numbers(clients[0], webhook)
        acknowledged = load(clients, numbers, workers[0])
        print(f"{len(acknowledged)} SMS acknowledged, {len(posted)} have reached the webhook; waiting for the rest")
        wait_for(acknowledged, posted)
        stored = {message["id"] for e164 in numbers for message in clients[1].messages(e164)}
        twice = sum(count > 1 for count in posted.values())
        not_stored, not_posted = len(acknowledged - stored), len(acknowledged - posted.keys())
        print(f"acknowledged and not stored: {not_stored}, acknowledged and not delivered: {not_posted},")
        print(f"delivered twice, which the death of a worker can cause: {twice}")
        for e164 in numbers:
            clients[0].end_rental(e164)
    return 1 if not_stored or not_posted or len(acknowledged) != SMS else 0


if __name__ == "__main__":
    sys.exit(main())
