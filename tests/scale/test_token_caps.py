"""Sibling tokens never cost more than their parent's limit, whatever is repeated, refunded, run out or killed.

Programs with 64 tokens of one parent rent, send and end, each request with one Idempotency-Key until it is answered, while
SMS arrive, the clock advances and API processes are killed with -9: three of them on PostgreSQL, one on SQLite.
"""

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dtmf_server.core import api_token
from dtmf_server.core.token_grant import Grant
from dtmf_server.operations import tokens, verify
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage import migrate, numbers
from dtmf_server.storage import tokens as stored_tokens
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database
from effort import CAPS_CLIENTS, CAPS_KILLS, CAPS_SMS
from harness import Group, give_coins, initialise, new_token, open_account
from postgres import drop_database, fresh_database
from support.server_process import Answer, Service, request

SIBLINGS, CAP, COINS, THREADS = 64, 2000, 1_000_000, 16
APIS = {"sqlite": 1, "postgresql": 3}
SENT_TO, TRIES = "+447700900000", 50
SHELF = [f"+120255501{number:02d}" for number in range(40)]
# Each rental costs at least 103 sats, of which 10 may be refunded: 24 programs want more than CAP.
CATALOG = {Group("race", setup_cost=90, rental_cost_per_minute=13, cost_per_inbound_message=20): SHELF}


@dataclass
class Apis:
    """The API processes of a database. A killed one is replaced; a program without any waits until there is one."""

    folder: Path
    database: str
    command: str
    running: list[Service] = field(default_factory=list)
    rented: list[str] = field(default_factory=lambda: [SHELF[0]])  # in the order of the answers
    _stack: ExitStack = field(default_factory=ExitStack)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _answered: int = 0

    def start(self) -> None:
        """Start one, and wait until it is ready."""
        service = Service(self.folder, "--database", self.database, command=self.command)
        self._stack.enter_context(service).wait_ready()
        with self._changed:
            self.running.append(service)
            self._changed.notify_all()

    def kill(self) -> None:
        """Kill the oldest, and start another."""
        with self._changed:
            service = self.running.pop(0)
        service.kill()
        self.start()

    def ask(self, turn: int, token: str, method: str, path: str, body: object = None, *, key: str) -> Answer:
        """Send a request until it is answered, each time to another process."""
        for again in range(TRIES):
            with self._changed:
                assert self._changed.wait_for(lambda: self.running, timeout=60), "no process is running"
                url = self.running[(turn + again) % len(self.running)].url
            try:
                answer = request(url, token, method, path, body, key=key)
            except (OSError, http.client.HTTPException):
                continue  # killed: the request may have been carried out
            if answer.status != 503:
                self._count()
                return answer
        raise AssertionError(f"{method} {path} was not answered")

    def wait_answered(self, wanted: int) -> None:
        """Wait until this many requests were answered."""
        with self._changed:
            self._changed.wait_for(lambda: self._answered >= wanted, timeout=120)

    def _count(self) -> None:
        with self._changed:
            self._answered += 1
            self._changed.notify_all()


@contextmanager
def service(folder: Path, url: str, *, apis: int) -> Iterator[Apis]:
    """Run a service with one account, whose token is `new_token(0)`, and 64 tokens of one parent."""
    migrate.upgrade(url)
    with closing(open_database(url)) as db:
        initialise(db, CATALOG)
        account_id = open_account(db, now_us=wall_us())
        give_coins(db, account_id, COINS, now_us=wall_us())
        db.write_blocking(lambda tx: mint(tx, account_id))
    made = Apis(folder, url, "run" if apis == 1 else "api")
    with made._stack:
        if made.command == "api":
            made._stack.enter_context(Service(folder / "worker", "--database", url, command="worker"))
        for _ in range(apis):
            made.start()
        yield made


def mint(tx: Tx, account_id: int) -> None:
    """Create the parent and its children; rentals that receive nothing are refunded."""
    terms = {"monthly_cap": None, "reclaim_days": 0, "line_type": None}
    numbers.set_terms(tx, "race", **terms, refund_within_minutes=60, refund_percent=10)
    numbers.set_destination(tx, "", 40)
    asked = Grant(sats_max=CAP, scopes=("rent", "send", "read", "tokens"))
    parent = tokens.add(tx, account_id, token_sha256=bytes(32), label="parent", now_us=wall_us(), asked=asked)
    for seed in range(1, SIBLINGS + 1):
        sha256 = api_token.sha256(new_token(seed))
        tokens.add(tx, account_id, token_sha256=sha256, label="x", now_us=wall_us(), created_by=parent)


def use(apis: Apis, nth: int) -> Counter[int]:
    """Rent, send and end as one program, each with one key twice; return the statuses."""
    token, said = new_token(1 + nth % SIBLINGS), Counter[int]()

    def ask(method: str, path: str, body: object = None) -> Answer:
        key = f"{nth} {method} {path}"
        first, again = (apis.ask(nth + turn, token, method, path, body, key=key) for turn in range(2))
        said[first.status] += 1
        if first.status < 300:
            assert (again.status, again.body) == (first.status, first.body), "a repetition has the same answer"
        return first

    limits = {} if nth % 50 == 49 else [{"max_sats": 200}, {"max_minutes": 3}][nth % 2]
    rented = ask("POST", "/numbers", {"group_id": "race", "label": f"{nth}", **limits})
    if rented.status == 201:
        e164 = rented.json["e164"]
        apis.rented.append(e164)
        if nth % 3 == 0:
            ask("POST", "/message", {"from": e164, "to": SENT_TO, "content": "hello"})
        if nth % 4:
            ask("DELETE", f"/number?e164=%2B{e164[1:]}")
    return said


def disturb(apis: Apis) -> Counter[int]:
    """Deliver SMS to the numbers rented last, and advance the clock, so that rentals reach their limits and run out."""
    said: Counter[int] = Counter()
    for nth in range(CAPS_SMS):
        sms = {
            "from": "+1234",
            "to": apis.rented[-1 - nth % min(6, len(apis.rented))],
            "content": f"Your code is {nth:06}",
        }
        said[apis.ask(nth, new_token(0), "POST", "/sandbox/message", sms, key=f"sms {nth}").status] += 1
        if nth % 20 == 19:
            apis.ask(nth, new_token(0), "POST", "/sandbox/clock", {"advance_s": 60}, key=f"clock {nth}")
    return said


def kill_often(apis: Apis) -> None:
    """Kill a process each time that a share of the requests was answered."""
    requests = 2 * CAPS_CLIENTS + CAPS_SMS
    for nth in range(CAPS_KILLS):
        apis.wait_answered((nth + 1) * requests // (CAPS_KILLS + 1))
        apis.kill()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_siblings_cost_at_most_their_parents_limit(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path / 'dtmf.db'}"
    if engine == "postgresql":
        url = fresh_database(request.getfixturevalue("postgres_url"))
    with service(tmp_path, url, apis=APIS[engine]) as apis:
        with ThreadPoolExecutor(THREADS) as pool:
            killed, disturbed = pool.submit(kill_often, apis), pool.submit(disturb, apis)
            said = sum(pool.map(lambda nth: use(apis, nth), range(CAPS_CLIENTS)), Counter[int]())
            killed.result()
            received = disturbed.result()
        assert apis.ask(0, new_token(0), "POST", "/sandbox/clock", {"advance_s": 40 * 86_400}, key="end").status == 200
    assert said[201] > 3 and said[403] + said[422] > 0, "so many programs want more than the limit"
    assert not [status for status in said + received if status >= 500], (said, received)
    spent, refunds = books(url)
    print(
        f"{engine}: {SIBLINGS} siblings, {CAPS_CLIENTS} clients, {CAPS_SMS} SMS of which {received[201]} arrived,"
        f" {CAPS_KILLS} kills, {refunds} refunds: {spent} of {CAP} satoshis, {max(0, spent - CAP)} over the limit"
    )
    assert 0 < spent <= CAP
    if engine == "postgresql":
        drop_database(request.getfixturevalue("postgres_url"), url)


def books(url: str) -> tuple[int, int]:
    """Check the books; return what the account has paid in all, and how many refunds it got."""
    with closing(open_database(url)) as db:
        assert db.read_blocking(verify.differences) == []
        (account,) = db.read_blocking(lambda tx: tx.all("SELECT balance FROM accounts WHERE id >= 1000"))
        rows = db.read_blocking(stored_tokens.restricted)
        refunds = db.read_blocking(lambda tx: tx.all("SELECT id FROM transfers WHERE kind = 'rental_refunded'"))
    spent = COINS - int(account["balance"])
    (parent,) = [row for row in rows if row["parent_id"] is None]
    children = [row["spent_sats"] for row in rows if row["parent_id"] is not None]
    assert (parent["spent_sats"], sum(children)) == (spent, spent), (
        "every satoshi counts against a child and its parent"
    )
    assert not [row for row in rows if row["reserved_sats"]], "everything has ended"
    return spent, len(refunds)
