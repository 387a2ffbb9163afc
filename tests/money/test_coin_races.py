"""Keys computed from earlier reads: concurrent transactions never collide."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx2
import pytest

from dtmf_server.operations import catalog_file, deposit, import_catalog, sandbox, suspense, verify
from dtmf_server.payments.bitcoin.descriptor import SANDBOX_DESCRIPTOR, deriver
from dtmf_server.storage import carriers, deposits, numbers
from dtmf_server.storage.db import Database, Tx
from harness import START_US, new_token, open_account

THREADS, TURNS = 8, 5


def at_once(act: Callable[[int], object]) -> list[object]:
    """Run `act` in eight threads started together; return what each returned or raised."""
    barrier = threading.Barrier(THREADS, timeout=60)

    def start(place: int) -> object:
        barrier.wait()
        try:
            return act(place)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(start, range(THREADS)))


@pytest.mark.regression("sandbox-deposit-race")
def test_concurrent_deposits_are_all_credited(db: Database, url: str):
    """Eight threads make five deposits each, to four accounts: no 500s, and every satoshi is credited once."""
    for seed in range(4):
        open_account(db, seed=seed)

    def pay(place: int) -> Counter[int]:
        found: Counter[int] = Counter()
        headers = {"Authorization": f"Bearer {new_token(place % 4)}"}
        with httpx2.Client(base_url=f"{url}/api/v1", headers=headers, timeout=120) as client:
            address = client.post("/addresses").json()["address"]
            for turn in range(TURNS):
                amount = 1000 + place * TURNS + turn
                answer = client.post("/sandbox/deposit", json={"address": address, "amount": amount})
                found[answer.status_code] += 1
        return found

    assert at_once(pay) == [{201: TURNS}] * THREADS
    for seed in range(4):
        expected = sum(1000 + place * TURNS + turn for place in (seed, seed + 4) for turn in range(TURNS))
        with httpx2.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {new_token(seed)}"}) as client:
            assert client.get("/account").json() == {"balance": expected}
    assert db.read_blocking(verify.differences) == []


@pytest.mark.regression("sandbox-deposit-race")
def test_concurrently_mined_blocks_form_one_chain(db: Database):
    before = db.read_blocking(sandbox.chain_tip)
    assert before is not None
    assert at_once(lambda _: db.write_blocking(partial(sandbox.mine, count=TURNS))) == [None] * THREADS
    tip = db.read_blocking(sandbox.chain_tip)
    assert tip is not None
    assert tip[0] == before[0] + THREADS * TURNS
    for height in range(1, tip[0]):
        below, above = (db.read_blocking(partial(sandbox.chain_block, height=at)) for at in (height, height + 1))
        assert below is not None
        assert above is not None
        assert above.previous == below.hash


@pytest.mark.regression("sandbox-deposit-race")
def test_concurrent_payments_get_distinct_ids(db: Database):
    account_id = open_account(db)
    derive = deriver(SANDBOX_DESCRIPTOR, "regtest")
    address = db.write_blocking(lambda tx: deposit.new_address(tx, account_id, derive=derive, now_us=START_US))

    def broadcast(_: int) -> str:
        return db.write_blocking(lambda tx: sandbox.broadcast(tx, account_id, address=address, amount=1000))

    txids = [broadcast_ for _ in range(TURNS) for broadcast_ in at_once(broadcast)]
    waiting = db.read_blocking(sandbox.chain_mempool)
    assert set(txids) == waiting.txids
    assert len(waiting.txids) == THREADS * TURNS


GROUPS = """\
id,type,name,country_code,setup_cost,rental_cost_per_minute,cost_per_inbound_message
{id},mobile,Somewhere,xx,1,2,3
"""


@pytest.mark.regression("sandbox-deposit-race")
def test_concurrent_imports_of_the_same_and_of_different_stock(db: Database):
    def imported(kind: str, text: str) -> int:
        file = catalog_file.read(kind, text.encode(), name="file.csv")
        return len(db.write_blocking(lambda tx: import_catalog.apply(tx, file)).added)

    groups = at_once(lambda place: imported("groups", GROUPS.format(id=f"g{place}")))
    assert groups == [1] * THREADS
    positions = db.read_blocking(lambda tx: tx.all("SELECT position FROM groups WHERE id LIKE 'g_'"))
    assert len({row["position"] for row in positions}) == THREADS, "each group has a position of its own"
    text = "e164,group_id\n" + "".join(f"+3712000{n:04d},g0\n" for n in range(50))
    counts = at_once(lambda _: imported("numbers", text))
    assert sorted(map(str, counts)) == ["0"] * (THREADS - 1) + ["50"]
    assert len(db.read_blocking(lambda tx: numbers.groups_of(tx, [f"+3712000{n:04d}" for n in range(50)]))) == 50


@pytest.mark.regression("sandbox-deposit-race")
def test_processes_can_concurrently_write_a_carriers_link_status(db: Database):
    db.write_blocking(lambda tx: carriers.add(tx, "london"))
    rows = [("london-1", "bound", 1, 1, 0, 0, 0, 0, ""), ("london-2", "bound", 1, 1, 0, 0, 0, 0, "")]

    def write(_: int) -> None:
        for _ in range(TURNS):
            db.write_blocking(lambda tx: carriers.note_links(tx, rows, carrier="london", wall_us=1))

    assert at_once(write) == [None] * THREADS
    assert len(db.read_blocking(carriers.links)) == 2


def test_concurrent_restores_watch_each_address_once(db: Database):
    derive = deriver(SANDBOX_DESCRIPTOR, "regtest")
    db.write_blocking(lambda tx: tx.run("INSERT INTO chain_state (id, network, descriptor) VALUES (1, 'regtest', 'd')"))

    def watch(tx: Tx) -> bool:
        return suspense.watch(tx, gap=10, at_least=15, derive=derive, now_us=START_US)

    assert sorted(map(str, at_once(lambda _: db.write_blocking(watch)))) == ["False"] * (THREADS - 1) + ["True"]
    assert db.read_blocking(deposits.last_index) == 15
