"""A paid sign-up survives kill -9 of the service between any two steps: one account, one balance, and one token works.

DTMF_LIGHTNING_SEED sets the moments.
"""

import random
import socket
import threading
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from effort import LIGHTNING_SEED
from lightning.test_kill import CONFIGURATION, PROGRAM, TESTS, TRIES, Node
from postgres import fresh_database
from support.lightning_node import LOSES_ANSWER
from support.paths import PYTHONPATH
from support.server_process import Service, command, request

SIGN_UPS = 3


class Customer:
    """Signs up, pays and claims, and repeats what got no answer."""

    def __init__(self, url: str, node: Node, amount: int) -> None:
        self._url, self._node, self.amount = url, node, amount
        self.tokens: list[str] = []
        self.cut_off = 0
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            quote = self._answer({"amount": self.amount}, 402)
            self._node.ask("pay", hash_=quote["payment_hash"], received=self.amount * 1000, fee=0, times=2, listed=True)
            self.tokens.append(self._answer({"claim": quote["claim"]}, 201)["token"])
            self.tokens.append(self._answer({"claim": quote["claim"]}, 201)["token"])
        except Exception as error:
            self.failure = error  # of a thread; the test shows it

    def _answer(self, body: Any, status: int) -> Any:
        for _ in range(TRIES):
            try:
                answer = request(self._url, "", "POST", "/accounts", body)
            except (OSError, HTTPException):
                self.cut_off += 1
            else:
                if answer.status == status:
                    return answer.json
                assert answer.status in (402, 503), answer
            time.sleep(0.02)
        raise AssertionError("no answer")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_paid_sign_up_survives_kills(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    chance, url = random.Random(LIGHTNING_SEED), f"sqlite:///{tmp_path / 'dtmf.db'}"
    if engine == "postgresql":
        url = fresh_database(request.getfixturevalue("postgres_url"))
    node, configuration = Node(tmp_path), tmp_path / "dtmf.toml"
    configuration.write_text(CONFIGURATION.format(port=node.port))
    node.start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    def service() -> Service:
        program, given = [*PROGRAM, "server"], ("--config", configuration, "--database", url)
        return Service(tmp_path, *given, port=port, program=program, PYTHONPATH=f"{TESTS}:{PYTHONPATH}").wait_ready()

    try:
        customers, cut_off = _sign_up_while_killing(service, node, chance)
    finally:
        node.kill()
    assert cut_off > 0, "the kills came when nothing was under way: they prove nothing"
    assert len(customers) == SIGN_UPS
    verified = command("verify", "--database", url)
    assert verified.code == 0, verified.out
    assert f"{SIGN_UPS + 1} accounts" in verified.out, "the sandbox's own, and one per payment"


def _sign_up_while_killing(service: Any, node: Node, chance: random.Random) -> tuple[list[Customer], int]:
    running = service()
    try:
        customers = [Customer(running.url, node, 1000 + LOSES_ANSWER * nth) for nth in range(SIGN_UPS)]
        for customer in customers:
            signing_up = threading.Thread(target=customer.run)
            signing_up.start()
            for _ in range(2):
                signing_up.join(chance.uniform(0, 0.03))  # a sign-up takes longer
                running.kill()
                running = service()
            signing_up.join()
            assert customer.failure is None, customer.failure
            first, last = customer.tokens
            assert request(running.url, first, "GET", "/account").status == 401
            assert request(running.url, last, "GET", "/account").json == {"balance": customer.amount}
    finally:
        running.kill()
    return customers, sum(customer.cut_off for customer in customers)
