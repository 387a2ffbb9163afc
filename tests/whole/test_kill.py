"""Nothing acknowledged is lost and nobody is charged twice: `kill -9` at random moments, under load.

DTMF_TEST_KILLS says how many kills, DTMF_TEST_SEED which moments.
"""

import os
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from whole.driving import FUNDS, GROUP, PER_MINUTE, PER_SENT, PER_SMS, SETUP, Load, Stored, Tally, tally
from whole.running import Service, command, request, rows

KILLS = int(os.environ.get("DTMF_TEST_KILLS", "20"))
SEED = int(os.environ.get("DTMF_TEST_SEED", "2018"))
OPERATIONS_PER_KILL = 250  # more than it can do before it dies


def new_load(service: Service, chance: random.Random) -> Load:
    """A load on a fresh sandbox: funds, and one number that keeps receiving and sending."""
    url, token = service.url, service.token
    address = request(url, token, "POST", "/addresses").json["address"]
    request(url, token, "POST", "/sandbox/deposit", {"address": address, "amount": FUNDS})
    e164 = request(url, token, "POST", "/numbers", {"group_id": GROUP}).json["e164"]
    return Load(token, chance, e164, address)


def kill_under_load(data: Path, load: Load, chance: random.Random) -> None:
    """One start and one kill; one start in five is killed before it has said a word."""
    with Service(data) as service:
        if chance.random() < 0.2:
            time.sleep(chance.uniform(0.1, 0.9))
            service.kill()
            return
        service.wait_ready()
        load.add(max(0, OPERATIONS_PER_KILL - len(load.waiting)))
        threads = load.run(service.url, until_done=False)
        time.sleep(chance.uniform(0.02, 0.35))
        service.kill()
        for thread in threads:
            thread.join()


def finish(data: Path, load: Load) -> None:
    """Retries everything unacknowledged with its own key, and stops."""
    with Service(data) as service:
        service.wait_ready()
        for thread in load.run(service.url, until_done=True):
            thread.join()
        assert service.stop() == 0


def stored_in(database: Path, load: Load) -> Stored:
    """What the file holds, but for what `new_load` did."""
    effects: Counter[tuple[str, Any]] = Counter()
    due: set[tuple[str, str, int]] = set()
    for id_, inbound, content, cost in rows(database, "SELECT id, inbound, content, cost FROM messages"):
        effects["receive" if inbound else "send", (id_, content)] += 1
        due.add(("message_received" if inbound else "message_sent", str(id_), PER_SMS if inbound else PER_SENT))
        assert cost == (PER_SMS if inbound else PER_SENT)
    for id_, e164, end_reason, minutes in rows(database, "SELECT id, e164, end_reason, booked_minutes FROM rentals"):
        due.add(("rental_setup", str(id_), SETUP))
        if e164 != load.e164:
            effects["rent", e164] += 1
        if end_reason is not None:
            effects["end", e164] += 1
        bookings = rows(database, "SELECT from_minute, to_minute FROM minute_bookings WHERE rental_id = ?", [id_])
        due |= {("rental_minutes", f"{id_}:{start}", (end - start) * PER_MINUTE) for start, end in bookings}
        assert sum(end - start for start, end in bookings) == minutes
    for txid, vout, amount in rows(database, "SELECT txid, vout, amount FROM deposits"):
        due.add(("deposit", f"{txid}:{vout}:0", amount))
        if amount != FUNDS:
            effects["deposit", txid] += 1
    for (address,) in rows(database, "SELECT address FROM addresses"):
        if address != load.address:
            effects["address", address] += 1
    return Stored(effects, rows(database, "SELECT kind, ref, amount FROM transfers"), due)


def ledger_sum(database: Path) -> int:
    """What customers have by their balances, and the system's accounts by the transfers: together nothing."""
    with closing(sqlite3.connect(database)) as connection:
        (customers,) = connection.execute("SELECT sum(balance) FROM accounts").fetchone()
        (system,) = connection.execute(
            "SELECT coalesce(sum(CASE WHEN t.credit = a.id THEN t.amount ELSE -t.amount END), 0)"
            " FROM accounts a JOIN transfers t ON a.id IN (t.debit, t.credit) WHERE a.kind = 'system'"
        ).fetchone()
    return int(customers + system)


def test_kill_9_at_any_moment_loses_nothing_acknowledged_and_charges_nobody_twice(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    database = tmp_path / "dtmf.db"
    with Service(tmp_path) as service:
        load = new_load(service.wait_ready(), chance)
        service.kill()
    for _ in range(KILLS - 1):
        kill_under_load(tmp_path, load, chance)
    finish(tmp_path, load)

    found = tally(load, stored_in(database, load))
    kinds = Counter(load.kinds[key] for key in load.acked)
    print(f"seed {SEED}, {KILLS} kills: {len(load.acked)} acknowledged {dict(kinds)}, {load.unacknowledged} cut off;")
    print(f"{found}, ledger sum {ledger_sum(database)}")
    assert load.refused == []
    assert not load.waiting
    assert len(load.acked) == len(load.kinds)
    assert load.unacknowledged > KILLS, "the kills came when nothing was under way: they prove nothing"
    assert all(kinds[kind] for kind in ("receive", "send", "rent", "end", "deposit", "address"))
    assert found == Tally(0, 0, 0, 0)
    assert ledger_sum(database) == 0
    verified = command("verify", "--data", tmp_path)
    assert verified.code == 0, verified.out


RECEIVED = {("receive", (1, "op-0")): 1}
PAID = ("message_received", "1", PER_SMS)


@pytest.mark.parametrize(
    ("effects", "charges", "due", "expected"),
    [
        (RECEIVED, [PAID], {PAID}, Tally(0, 0, 0, 0)),
        ({}, [], set(), Tally(1, 0, 0, 0)),
        ({("receive", (2, "op-0")): 1}, [], set(), Tally(1, 1, 0, 0)),
        ({**RECEIVED, ("receive", (2, "op-0")): 1}, [PAID], {PAID}, Tally(0, 1, 0, 0)),
        (RECEIVED, [PAID, PAID], {PAID}, Tally(0, 0, 1, 0)),
        (RECEIVED, [PAID, ("message_received", "2", PER_SMS)], {PAID}, Tally(0, 0, 0, 1)),
        (RECEIVED, [], {PAID}, Tally(0, 0, 0, 1)),
        (RECEIVED, [("message_received", "1", PER_SMS + 1)], {PAID}, Tally(0, 0, 0, 2)),
    ],
)
def test_the_tally_sees_losses_doubles_and_wrong_charges(effects: Any, charges: Any, due: Any, expected: Tally) -> None:
    load = Load("", random.Random(0), "+12", "")
    load.kinds["op-0"] = "receive"
    load.acked["op-0"] = {"id": 1}
    assert tally(load, Stored(Counter(effects), charges, due)) == expected
