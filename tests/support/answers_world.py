"""A database that holds the answers to an operator's ten questions: every fact in it is fixed, so that the answers are known.

It is Wednesday, 2018-01-10, 12:00. The accounts, in the order of their IDs:

    OUT       its balance ran out on Tuesday, and its rental ended
    BUSY      spent 40,230 satoshis on Tuesday: minutes and 6 SMS of group 'busy'
    HOOKED    has a webhook that failed
    TWINS     two accounts with unpaid addresses from one network
    ALONE     an account with an unpaid address from another network
"""

from dataclasses import dataclass
from typing import Any

from dtmf_server.core.backoff import Verdict
from dtmf_server.core.deposit_rules import Output
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.rental import Action, ActionKind
from dtmf_server.operations import audit, daily_sums, deliver, deposit, meter, rent
from dtmf_server.operations.audit import By
from dtmf_server.operations.deliver import FailedAttempt, LeasedDelivery
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.operations.receive import receive_many
from dtmf_server.payments.bitcoin.descriptor import SANDBOX_DESCRIPTOR, deriver
from dtmf_server.storage import api_requests, carrier_answers, chain, ledger_days
from dtmf_server.storage.api_requests import ApiRequest
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.delivery_log import Attempt
from harness import DAY_US, HOUR_US, MINUTE_US, Group, give_coins, initialise, open_account

TUESDAY_US = 1_515_456_000_000_000  # 2018-01-09T00:00:00
NOW_US = TUESDAY_US + DAY_US + 12 * HOUR_US
OPENED_US = TUESDAY_US - 4 * DAY_US
SLOW_FROM_US = TUESDAY_US + 14 * HOUR_US

PLAIN = Group("plain", rental_cost_per_minute=13, cost_per_inbound_message=0)
BUSY_GROUP = Group("busy", setup_cost=500, rental_cost_per_minute=25, cost_per_inbound_message=705)
LOSING = Group("losing", rental_cost_per_minute=0, cost_per_inbound_message=0)
CATALOG = {PLAIN: ["+12025550101", "+12025550102"], BUSY_GROUP: ["+12025550111"], LOSING: ["+12025550121"]}
STOPPED, HOOKED_NUMBER, BUSY_NUMBER, LOSING_NUMBER = "+12025550101", "+12025550102", "+12025550111", "+12025550121"
TXID, OTHER_TXID = "ab" * 32, "cd" * 32
WEBHOOK = "https://hooks.example.com/sms"
TEXT = "Your code is 493817"
REQUEST, REPEATED, REFUSED = "req_00000000000000a1", "req_00000000000000a2", "req_00000000000000a3"


@dataclass(frozen=True)
class World:
    """The IDs that the engines may choose differently."""

    out: int
    busy: int
    hooked: int
    twins: tuple[int, int]
    alone: int
    rentals: dict[str, int]  # by number
    messages: list[int]  # to HOOKED_NUMBER, oldest first
    deliveries: list[int]  # of the last three of them


def build(db: Database) -> World:
    """Fill an empty, migrated database."""
    initialise(db, CATALOG)
    out, busy, hooked, *others = (open_account(db, seed=seed, now_us=OPENED_US) for seed in range(6))
    rentals = _spend(db, out=out, busy=busy)
    messages, deliveries = _deliver(db, hooked, rentals)
    _top_up(db, [out, hooked, *others])
    _lose(db)
    _request(db, busy, rentals[BUSY_NUMBER])
    _answer(db)
    while db.write_blocking(lambda tx: meter.share_out(tx, now_us=NOW_US)):
        pass
    newest = db.read_blocking(ledger_days.newest_id)
    while db.write_blocking(lambda tx: daily_sums.add(tx, through=newest)):
        pass
    return World(out, busy, hooked, (others[0], others[1]), others[2], rentals, messages, deliveries)


def _spend(db: Database, *, out: int, busy: int) -> dict[str, int]:
    """One account runs out on Tuesday, another spends much; return the rentals."""
    give_coins(db, out, 1000, now_us=OPENED_US)
    give_coins(db, busy, 500_000, now_us=OPENED_US)
    began_us = TUESDAY_US + 8 * HOUR_US
    rentals = {
        BUSY_NUMBER: _rent(db, busy, BUSY_GROUP, now_us=OPENED_US),
        STOPPED: _rent(db, out, PLAIN, now_us=began_us, e164=STOPPED),
    }
    sms = [InboundMessage(BUSY_NUMBER, "+1234", TEXT)] * 6
    db.write_blocking(lambda tx: receive_many(tx, sms, now_us=began_us))
    by = By("alice", "the customer called", TUESDAY_US + 10 * HOUR_US)
    db.write_blocking(lambda tx: audit.record(tx, by, "deposits assign", f"account {out}", account_id=out))
    _settle(db, out, busy)
    return rentals


def _rent(db: Database, account_id: int, group: Group, *, now_us: int, e164: str | None = None) -> int:
    row = db.write_blocking(lambda tx: rent.start(tx, account_id, group.id, now_us=now_us, cooldown_us=0, e164=e164))
    return int(row["id"])


def _settle(db: Database, *account_ids: int) -> None:
    def settle(tx: Tx) -> None:
        with open_ledger(tx, account_ids, now_us=NOW_US):
            pass

    db.write_blocking(settle)


def _deliver(db: Database, account_id: int, rentals: dict[str, int]) -> tuple[list[int], list[int]]:
    """Four SMS: before there was a webhook, delivered, refused, and waiting for the next attempt."""
    give_coins(db, account_id, 100_000, now_us=OPENED_US)
    rentals[HOOKED_NUMBER] = _rent(db, account_id, PLAIN, now_us=TUESDAY_US, e164=HOOKED_NUMBER)
    at_us = TUESDAY_US + HOUR_US
    first = _receive(db, at_us)
    action = Action(ActionKind.WEBHOOK, WEBHOOK)
    db.write_blocking(lambda tx: rent.set_action(tx, account_id, HOOKED_NUMBER, action, now_us=at_us))
    messages, deliveries = [first], list[int]()
    for nth, (status, reason, verdict) in enumerate(
        [(200, "", Verdict.DELIVERED), (400, "HTTP 400", Verdict.PARKED), (503, "HTTP 503", Verdict.RETRY)], 1
    ):
        now_us = at_us + nth * MINUTE_US
        messages.append(_receive(db, now_us))
        work = _attempt(db, now_us, status=status, reason=reason, verdict=verdict)
        deliveries.append(work.id)
    return messages, deliveries


def _receive(db: Database, now_us: int) -> int:
    (id_,) = db.write_blocking(
        lambda tx: receive_many(tx, [InboundMessage(HOOKED_NUMBER, "+1234", TEXT)], now_us=now_us)
    )
    assert id_ is not None
    return id_


def _attempt(db: Database, now_us: int, *, status: int, reason: str, verdict: Verdict) -> LeasedDelivery:
    """Attempt the delivery that is due, with this result."""
    terms: dict[str, Any] = {"wall_us": now_us, "lease_us": MINUTE_US, "limit": 1, "except_destinations": []}
    (work,) = db.write_blocking(lambda tx: deliver.claim(tx, now_us=now_us, **terms))
    attempt = Attempt(now_us, 5000, status, reason, None)

    def result(tx: Tx) -> None:
        if verdict is Verdict.DELIVERED:
            deliver.delivered(tx, [(work, attempt)], now_us=now_us)
        else:
            deliver.not_delivered(tx, [FailedAttempt(work, verdict, attempt, None, 0.5)], now_us=now_us)

    db.write_blocking(result)
    return work


def _top_up(db: Database, account_ids: list[int]) -> None:
    """One transaction pays two accounts; three others hold unpaid addresses, two of them from one network."""
    derive = deriver(SANDBOX_DESCRIPTOR, "regtest")
    paid: list[bytes] = []

    def run(tx: Tx) -> None:
        networks = [None, None, "192.0.2.0/24", "192.0.2.0/24", "198.51.100.0/24"]
        for account_id, network in zip(account_ids, networks, strict=True):
            address = deposit.new_address(tx, account_id, derive=derive, now_us=TUESDAY_US, network=network)
            if network is None:
                row = tx.one("SELECT script_pubkey FROM addresses WHERE address = :address", address=address)
                assert row is not None
                paid.append(bytes(row["script_pubkey"]))
        chain.add_block(tx, height=1, hash_="ef" * 32, keep=10)
        outputs = [Output(TXID, 0, paid[0], 5000), Output(TXID, 1, paid[1], 7000)]
        new = deposit.note_outputs(tx, outputs, height=1, now_us=NOW_US)
        deposit.move_on(tx, 1, None, new, depths=((0, 1),), now_us=NOW_US)

    db.write_blocking(run)


def _lose(db: Database) -> None:
    """The number of a group that earns nothing cost 3,000 satoshis on Tuesday."""

    def run(tx: Tx) -> None:
        tx.run(
            "INSERT INTO supply_numbers (group_id, carrier, state, wanted_at_us, gone_at_us)"
            " VALUES ('losing', 'x', 'gone', 0, 0)"
        )
        tx.run(
            "INSERT INTO supply_costs (supply_number_id, kind, nth, at_us, amount, currency, sats)"
            " VALUES ((SELECT max(id) FROM supply_numbers), 'month', 1, :at_us, 1500000, 'USD', 3000)",
            at_us=TUESDAY_US + HOUR_US,
        )

    db.write_blocking(run)


def _request(db: Database, account_id: int, rental_id: int) -> None:
    """A request that revokes a token, which ends nothing; its repetition; and one that was refused."""

    def run(tx: Tx) -> None:
        token = tx.one("SELECT id FROM tokens WHERE account_id = :id", id=account_id)
        transfer = tx.one("SELECT id FROM transfers WHERE account_id = :id AND kind = 'rental_setup'", id=account_id)
        assert token is not None and transfer is not None
        of = {"account_id": account_id, "token_id": token["id"], "operation": "POST /api/v1/numbers"}
        changes = {"rentals": [rental_id], "transfers": [transfer["id"]]}
        new = [
            ApiRequest(request_id=REQUEST, status=201, at_wall_us=OPENED_US, changes=changes, **of),
            ApiRequest(request_id=REPEATED, status=201, at_wall_us=OPENED_US + 1, is_repeated=True, **of),
            ApiRequest(request_id=REFUSED, status=402, code="insufficient_funds", at_wall_us=OPENED_US + 2, **of),
        ]
        api_requests.add(tx, new)

    db.write_blocking(run)


def _answer(db: Database) -> None:
    """Carrier 'steady' always takes 0.1 s; 'acme' took 0.2 s, and 6 s since Tuesday, 14:00."""

    def run(tx: Tx) -> None:
        for hour in range(OPENED_US // HOUR_US, NOW_US // HOUR_US):
            carrier_answers.count(tx, "steady", [(hour, 100, 20)])
            ms = 200 if hour * HOUR_US < SLOW_FROM_US else 6000
            carrier_answers.count(tx, "acme", [(hour, ms, 20), (hour, 50, 3)])

    db.write_blocking(run)
