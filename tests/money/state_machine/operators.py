"""Actions of operators on accounts, on top of coins, Lightning and clocks."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from dtmf_server.core.money import SATS_MAX
from dtmf_server.operations import adjust, rent, suspend
from dtmf_server.operations.audit import By
from money.oracle import operators
from money.state_machine.chain_and_clock import COOLDOWN_US, GROUPS, amounts, who
from money.state_machine.lightning import LightningPayments


class Operators(LightningPayments):
    """Credits, debits and suspensions."""

    adjustments = 0

    @rule(who=who, sats=amounts, is_credit=st.booleans(), as_debt=st.booleans(), times=st.integers(1, 2))
    def the_operator_adjusts(self, who: int, sats: int, is_credit: bool, as_debt: bool, times: int) -> None:
        """`times`: 2 repeats the command under the same reference."""
        id_, by = self.ids[who], By("alice", "", self.wall_us)
        expected = operators.adjust(self.plain, id_, sats if is_credit else -sats, self.now_us, as_debt=as_debt)
        self.adjustments += 1
        terms = {
            "reference": f"ticket {self.adjustments}",
            "text": "",
            "by": by,
            "per_day_sats": SATS_MAX,
            "now_us": self.now_us,
        }
        for _ in range(times):
            if is_credit:
                answer = self._answer(lambda tx: adjust.credit(tx, id_, sats, **terms))
            else:
                answer = self._answer(lambda tx: adjust.debit(tx, id_, sats, as_debt=as_debt, **terms))
            assert (answer if isinstance(answer, str) else "ok") == expected

    @rule(who=who, ends_rentals=st.booleans())
    def the_operator_suspends_and_resumes(self, who: int, ends_rentals: bool) -> None:
        id_ = self.ids[who]
        operators.suspend(self.plain, id_, self.now_us, ends_rentals=ends_rentals)
        self._write(lambda tx: suspend.suspend(tx, id_, now_us=self.now_us, ends_rentals=ends_rentals))
        start = {"now_us": self.now_us, "cooldown_us": COOLDOWN_US}
        assert self._answer(lambda tx: rent.start(tx, id_, GROUPS[0], **start)) == "account_suspended"
        self.everything_agrees()
        self._write(lambda tx: suspend.resume(tx, id_, now_us=self.now_us))
