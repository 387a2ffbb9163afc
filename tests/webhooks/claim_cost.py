"""What claiming and finishing a delivery costs with nothing behind it and with 200,000 finished ones, on SQLite.

    python tests/webhooks/claim_cost.py [finished]

Both databases are measured in turn, so that what else this machine does falls on both; the median of the rounds counts.
The commit is not in it: it is one for all that come at a time, and the disk's.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "src")]

from dtmf_server.operations import deliver  # noqa: E402 - from the tree that this file is in
from dtmf_server.operations.receive import Inbound, receive_many  # noqa: E402 - as above
from dtmf_server.runtime import Runtime  # noqa: E402 - as above
from dtmf_server.storage import migrate, schema  # noqa: E402 - as above
from dtmf_server.storage.db import Tx  # noqa: E402 - as above
from dtmf_server.storage.delivery_log import Attempt  # noqa: E402 - as above
from dtmf_server.storage.open import open_database  # noqa: E402 - as above
from harness import DAY_US, START_US, initialise, open_account, runtime_over  # noqa: E402 - as above
from webhooks.steps import CATALOG, rent_now  # noqa: E402 - as above

LINES, ROUNDS = 200, 30
FINISHED = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
URL = "https://example.org/webhook"


def prepare(path: Path, *, finished: int) -> tuple[Runtime, list[str]]:
    """A database with so many finished deliveries, and numbers whose SMS are to be delivered."""
    migrate.upgrade(f"sqlite:///{path}")
    db = open_database(f"sqlite:///{path}")
    initialise(db, CATALOG)
    runtime, account_id = runtime_over(db, wall=lambda: START_US), open_account(db)
    numbers = [rent_now(runtime, account_id, URL) for _ in range(LINES)]
    db.write_now(lambda tx: fill(tx, account_id, finished))
    return runtime, numbers


def fill(tx: Tx, account_id: int, count: int) -> None:
    """Finished deliveries of the first rentals, each with its SMS and its attempt."""
    rentals = [row["id"] for row in tx.all("SELECT id FROM rentals ORDER BY id")]
    message_columns = ("id", "account_id", "rental_id", "inbound", "sender", "recipient", "content", "at_us")
    columns = ("id", "account_id", "rental_id", "message_id", "kind", "destination", "state", "created_at_us")
    of_rental = [rentals[n % len(rentals)] for n in range(count)]
    tx.insert(
        schema.messages,
        (*message_columns, "status", "cost", "segments"),
        [
            (n + 1, account_id, rental, True, "+1234", "+12125550000", "text", START_US, "received", 0, 1)
            for n, rental in enumerate(of_rental)
        ],
    )
    tx.insert(
        schema.deliveries,
        (*columns, "attempts", "due_at_us", "finished_at_us"),
        [
            (n + 1, account_id, rental, n + 1, "webhook", URL, "delivered", START_US, 1, START_US, START_US)
            for n, rental in enumerate(of_rental)
        ],
    )
    tx.insert(
        schema.attempts,
        ("delivery_id", "attempt", "at_us", "duration_us", "status", "reason", "reply"),
        [(n + 1, 1, START_US, 1000, 200, "the receiver answered 200", "ok") for n in range(count)],
    )


def seconds_per_delivery(runtime: Runtime, numbers: list[str]) -> tuple[float, float]:
    """Of claiming and of finishing, an SMS to each number being due."""
    db = runtime.db
    sms = [Inbound(number, "+1234", "text") for number in numbers]
    db.write_now(lambda tx: receive_many(tx, sms, now_us=START_US, rest_us=DAY_US))

    def claim(tx: Tx) -> tuple[list[deliver.Work], float]:
        started_s = time.perf_counter()
        claimed = deliver.claim(
            tx, now_us=START_US, wall_us=START_US, lease_us=60_000_000, limit=LINES, rest_us=0, except_destinations=[]
        )
        return claimed, time.perf_counter() - started_s

    def finish(tx: Tx) -> float:
        started_s = time.perf_counter()
        for work in claimed:
            attempt = Attempt(START_US, 1000, 200, "the receiver answered 200", "ok")
            deliver.delivered(tx, work, attempt=attempt, now_us=START_US)
        return time.perf_counter() - started_s

    claimed, claiming_s = db.write_now(claim)
    assert len(claimed) == LINES
    return claiming_s / LINES, db.write_now(finish) / LINES


def main() -> None:
    """Prints both costs and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = (0, FINISHED)
        prepared = [prepare(Path(folder) / f"{size}.db", finished=size) for size in sizes]
        measured: list[list[tuple[float, float]]] = [[], []]
        for _ in range(ROUNDS):
            for times, (runtime, numbers) in zip(measured, prepared, strict=True):
                times.append(seconds_per_delivery(runtime, numbers))
        for place, what in enumerate(("claim", "finish")):
            empty, full = (median(times[place] for times in each) * 1e6 for each in measured)
            print(f"{what:7} {empty:7.1f} us with none, {full:7.1f} us with {FINISHED:,} behind it: {full / empty:.2f}")
        for runtime, _ in prepared:
            runtime.db.close()


if __name__ == "__main__":
    main()
