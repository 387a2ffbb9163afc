"""Every payment settled at the node is credited once: node and service are killed with -9 at random moments.

DTMF_LIGHTNING_PAYMENTS sets the number of payments (default 30), DTMF_LIGHTNING_SEED the moments and the faults.
"""

import random
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from effort import LIGHTNING_PAYMENTS, LIGHTNING_SEED
from postgres import fresh_database
from support.lightning_node import ask
from support.paths import PYTHONPATH
from support.server_process import Service, command, environment, request

TESTS = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-m", "support.lightning_node"]
PER_ROUND = 10
PAYMENTS_PER_KILL = 5
TRIES = 6000  # of a request, while processes start again
CONFIGURATION = 'mode = "sandbox"\n[lightning]\nkind = "test"\nport = {port}\npoll_s = 0.1\n'


class Node:
    """The node's process, on a fixed port and file."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self._file = folder / "node.db"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen([*PROGRAM, "node", str(self._file), str(self.port)], env=_environment())
        self.ask("newest")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def ask(self, what: str, **asked: Any) -> Any:
        """Ask the node until it answers."""
        for _ in range(TRIES):
            try:
                return ask(self.port, what, **asked)
            except (OSError, ValueError):
                time.sleep(0.02)  # its start is not announced
        raise AssertionError("the node does not answer")


def _environment() -> dict[str, str]:
    return environment(PYTHONPATH=f"{TESTS}:{PYTHONPATH}")


class Payer:
    """Creates invoices and pays them at the node, whatever was killed meanwhile. Requests are repeated with their key."""

    def __init__(self, node: Node, token: str, chance: random.Random) -> None:
        self._node, self._token, self._chance = node, token, chance
        self.sent_msat: dict[str, int] = {}
        self._made = 0
        self.cut_off = 0
        self.failures: list[Exception] = []

    def pay(self, url: str, count: int) -> None:
        """Pay more invoices. The service must come back at the same address."""
        try:
            self._pay(url, count)
        except Exception as error:
            self.failures.append(error)  # of a thread; the test shows it

    def _pay(self, url: str, count: int) -> None:
        for _ in range(count):
            self._made += 1
            amount = None if self._chance.random() < 0.2 else self._chance.randrange(1, 5000)
            hash_ = self._created(url, f"invoice {self._made}", amount)["payment_hash"]
            fee = self._chance.choice([0, 0, self._chance.randrange(3000)])
            sent = (amount or self._chance.randrange(1, 5000)) * 1000 + self._chance.choice([0, 0, 1, 999])
            self.sent_msat[hash_] = sent
            self._node.ask(
                "pay",
                hash_=hash_,
                received=sent - min(fee, sent),
                fee=min(fee, sent),
                times=self._chance.choice([1, 1, 2]),
                listed=self._chance.random() < 0.8,
            )

    def _created(self, url: str, key: str, amount: int | None) -> Any:
        body = {} if amount is None else {"amount": amount}
        for _ in range(TRIES):
            try:
                answer = request(url, self._token, "POST", "/invoices", body, key=key)
            except (OSError, HTTPException):
                self.cut_off += 1
            else:
                if answer.status == 201:
                    return answer.json
                assert answer.status == 503, answer
                self.cut_off += 1
            time.sleep(0.02)
        raise AssertionError("no invoice was created")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_every_payment_is_credited_once_though_node_and_service_are_killed(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(LIGHTNING_SEED)
    url = f"sqlite:///{tmp_path / 'dtmf.db'}"
    if engine == "postgresql":
        url = fresh_database(request.getfixturevalue("postgres_url"))
    node = Node(tmp_path)
    configuration = tmp_path / "dtmf.toml"
    configuration.write_text(CONFIGURATION.format(port=node.port))
    node.start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    def service() -> Service:
        program, given = [*PROGRAM, "server"], ("--config", configuration, "--database", url)
        return Service(tmp_path, *given, port=port, program=program, PYTHONPATH=f"{TESTS}:{PYTHONPATH}")

    try:
        found = _pay_while_killing(service, node, chance)
    finally:
        node.kill()
    print(f"{engine}, seed {LIGHTNING_SEED}: {found}")
    assert found["missing sats"] == 0
    assert found["kills"] > 0
    assert found["cut off"] > 0, "the kills came when nothing was under way: they prove nothing"
    verified = command("verify", "--database", url)
    assert verified.code == 0, verified.out


def _pay_while_killing(service: Any, node: Node, chance: random.Random) -> dict[str, int]:
    """Pay while either process is killed; at the end, wait until everything is credited."""
    running = service().wait_ready()
    payer, kills = Payer(node, running.token, chance), 0
    for _ in range(-(-LIGHTNING_PAYMENTS // PER_ROUND)):
        paying = threading.Thread(target=payer.pay, args=(running.url, PER_ROUND))
        paying.start()
        while paying.is_alive():
            paying.join(chance.uniform(0.05, 0.6))
            if not paying.is_alive() or kills >= LIGHTNING_PAYMENTS // PAYMENTS_PER_KILL:
                break
            kills += 1
            if chance.random() < 0.5:
                node.kill()
                node.start()
            else:
                running.kill()
                running = service().wait_ready()
        paying.join()
    credited, expected = 0, sum(msat // 1000 for msat in payer.sent_msat.values())
    for _ in range(600):
        request(running.url, running.token, "POST", "/sandbox/clock", {"advance_s": 60})  # look-ups are due
        credited = request(running.url, running.token, "GET", "/account").json["balance"]
        if credited >= expected:
            break
        time.sleep(0.05)
    rows = request(running.url, running.token, "GET", "/transactions?limit=1000").json
    credited_hashes = [row["reference"] for row in rows if row["kind"] == "lightning_deposit"]
    assert payer.failures == []
    assert len(set(credited_hashes)) == len(credited_hashes)
    assert running.stop() == 0
    return {
        "payments": len(payer.sent_msat),
        "kills": kills,
        "cut off": payer.cut_off,
        "credited sats": credited,
        "missing sats": expected - credited,
    }
