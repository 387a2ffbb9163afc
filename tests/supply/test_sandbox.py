"""A sandbox whose simulated carrier sells numbers: 100 are rented where 3 existed, and the rest is given back by itself."""

from dtmf import DTMF, NoNumbersAvailableError
from dtmf_server.core.number_supply import PRICE_UNIT, SupplyRules, Terms
from dtmf_server.storage import numbers, supplies
from dtmf_server.storage.db import Database, Tx
from harness import FakeWall, Group, new_token, open_account, runtime_over, serving, stock
from support.operator import until

EXISTED = ["+12015550199", "+12015550198", "+12015550197"]
RULES = SupplyRules(per_hour=10**6 * PRICE_UNIT, per_day=10**6 * PRICE_UNIT, per_account=100)


def test_100_numbers_are_rented_of_which_3_existed_and_the_rest_is_given_back(db: Database, wall: FakeWall) -> None:
    def begin(tx: Tx) -> None:
        stock(tx, {Group("on-demand", rental_cost_per_minute=1): EXISTED})
        terms = Terms(stock_min=3, stock_max=200, setup_price_max=0, month_price_max=2 * PRICE_UNIT, currency="USD")
        supplies.put(tx, "on-demand", carrier="simulator", terms=terms)

    def owned(tx: Tx) -> int:
        return len(tx.all("SELECT 1 FROM supply_numbers WHERE state NOT IN ('wanted', 'gone')"))

    db.write_blocking(begin)
    open_account(db)
    with serving(runtime_over(db, wall=wall, supply=RULES)) as url, DTMF(new_token(), base_url=url) as dtmf:
        dtmf.sandbox.deposit(dtmf.new_address()["address"], 100_000_000)
        rented: list[str] = []

        def rent_one() -> bool:
            try:
                rented.append(dtmf.start_rental("on-demand")["e164"])
            except NoNumbersAvailableError as refused:
                assert refused.retry_after == 15
                return False
            return True

        for _ in range(100):
            until(rent_one)
        assert len(set(rented)) == 100 and set(EXISTED) <= set(rented)
        dtmf.sandbox.receive(rented[-1], "+1234", "hello")
        for e164 in rented:
            dtmf.end_rental(e164)
        dtmf.sandbox.advance(2 * 86_400)
        assert db.read_blocking(owned) >= 97
        dtmf.sandbox.advance(28.5 * 86_400)  # the day before the next month of January 1
        until(lambda: db.read_blocking(owned) == 0)
        assert [number["e164"] for number in dtmf.available("on-demand")] == sorted(EXISTED, key=rented.index)
    (group,) = [row for row in db.read_blocking(numbers.inventory) if row["id"] == "on-demand"]
    assert group["numbers"] == 3
