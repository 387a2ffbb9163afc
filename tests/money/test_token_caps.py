"""Sixty-four sibling tokens with many clients never cost more than their parent's limit."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dtmf_server.core import api_token
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.token_grant import Grant
from dtmf_server.core.units import MINUTE_US
from dtmf_server.operations import meter, tokens, verify
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage import rentals
from dtmf_server.storage.db import Database, Tx
from harness import START_US, FakeWall, give_coins, new_token, open_account
from support.connection import Connection

SIBLINGS, CLIENTS, SMS, CAP, COINS = 64, 192, 500, 2000, 1_000_000
SENT_TO = "+447700900000"


def mint(tx: Tx, *, account_id: int) -> None:
    """Create the parent and its children, in a catalog where everything has a price."""
    tx.run("UPDATE groups SET setup_cost = 30, cost_per_inbound_message = 3 WHERE id = 'us-mobile'")
    tx.run("UPDATE destinations SET cost_per_segment = 20")
    of = {"account_id": account_id, "label": "x", "now_us": START_US}
    asked = Grant(sats_max=CAP, scopes=("rent", "send", "read", "tokens"))
    parent = tokens.add(tx, **of, token_sha256=bytes(32), asked=asked)  # type: ignore[arg-type]  # see `of`
    for seed in range(1, SIBLINGS + 1):
        sha256 = api_token.sha256(new_token(seed))
        tokens.add(tx, **of, token_sha256=sha256, created_by=parent)  # type: ignore[arg-type]  # see `of`


def use(nth: int, *, url: str) -> Counter[int]:
    """Rent, send from the number and end the rental, each with one Idempotency-Key twice."""
    said: Counter[int] = Counter()
    token = new_token(1 + nth % SIBLINGS)
    given = {} if nth % 64 == 40 else [{"max_sats": 90}, {"max_minutes": 2}][nth % 2]
    with Connection(url) as connection:
        ask = {
            "body": {"group_id": "us-mobile", **given},
            "token": token,
            "headers": {"Idempotency-Key": f"r{nth}"},
        }
        first, again = (connection.ask("POST", "/api/v1/numbers", **ask) for _ in range(2))
        said[first.status] += 1
        if first.status == 201:
            assert again.body == first.body
            e164 = first.json["e164"]
            message = {"from": e164, "to": SENT_TO, "content": "hello"}
            said[connection.ask("POST", "/api/v1/message", message, token=token).status] += 1
            if nth % 2:
                connection.ask("DELETE", "/api/v1/number", token=token, query={"e164": e164})
    return said


def test_siblings_cost_at_most_their_parents_limit(db: Database, url: str, wall: FakeWall) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, COINS)

    db.write_blocking(partial(mint, account_id=account_id))
    stop = threading.Event()

    def receive() -> int:
        """Deliver SMS to all live numbers while they are rented and ended."""
        sent = 0
        while sent < SMS and not stop.is_set():
            live = db.read_blocking(lambda tx: [row["e164"] for row in rentals.live(tx, account_id)])
            sms = [InboundMessage(e164, SENT_TO, "code 123456") for e164 in live][: SMS - sent]
            db.write_blocking(lambda tx, sms=sms: receive_many(tx, sms, now_us=wall()))  # type: ignore[misc]  # a default
            sent += len(sms)
        return sent

    with ThreadPoolExecutor(25) as pool:
        received = pool.submit(receive)
        said = sum(pool.map(partial(use, url=url), range(CLIENTS)), Counter[int]())
        stop.set()
        received.result(60)
    assert said[201] > 3
    assert not [status for status in said if status >= 500]
    _no_more_than_the_cap(db, account_id)
    wall.advance(us=1000 * MINUTE_US)
    while db.write_blocking(lambda tx: meter.sweep(tx, now_us=wall())):
        pass
    spent = _no_more_than_the_cap(db, account_id)
    print(f"{SIBLINGS} siblings, {CLIENTS} clients: {spent} of {CAP} satoshis, {max(0, spent - CAP)} over the limit")
    (row,) = db.read_blocking(
        lambda tx: tx.all("SELECT * FROM tokens WHERE sats_max IS NOT NULL AND parent_id IS NULL")
    )
    assert (row["reserved_sats"], row["spent_sats"]) == (0, spent)


def _no_more_than_the_cap(db: Database, account_id: int) -> int:
    """Return what the account has paid."""
    assert db.read_blocking(verify.differences) == []
    (row,) = db.read_blocking(lambda tx: tx.all("SELECT balance FROM accounts WHERE id = :id", id=account_id))
    spent = COINS - int(row["balance"])
    assert 0 < spent <= CAP
    return spent
