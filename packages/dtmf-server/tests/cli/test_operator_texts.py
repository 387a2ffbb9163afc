"""Operations return findings as values; the operator's commands have a sentence for each."""

import pytest

from dtmf_server.cli import health_text
from dtmf_server.cli.explain_text import explanation_lines
from dtmf_server.cli.stray_text import SHOWN_MAX, diagnosis_lines, stray_lines
from dtmf_server.cli.verify_text import difference_text
from dtmf_server.operations import daily_sums, verify
from dtmf_server.operations.address_gap import GAP_OF_INIT, UNPAID_ALARM, AddressGap
from dtmf_server.operations.explain_deposit import Booking, Confirmations, Explanation
from dtmf_server.operations.strays import Diagnosis, Misread, Stray

DIFFERENCES: list[tuple[verify.Difference, str]] = [
    (verify.WrongBalance(7, 10, 11), "account 7: the ledger has 10 satoshis, the stored balance is 11"),
    (verify.WrongTotal(3), "the ledger sums to 3 satoshis instead of 0"),
    (
        verify.WrongRunningBalance(5, 7, 10, 11),
        "transfer 5 of account 7: the balance after it should be 10, but is stored as 11",
    ),
    (verify.WrongDebt(7, 10, 11), "account 7: the ledger has a debt of 10 satoshis, the stored debt is 11"),
    (verify.UnbookedMinutes(2, in_ledger=3, booked=4), "rental 2: 3 minutes are in the ledger, 4 are stored as booked"),
    (verify.WrongPrice(2, 3, 29), "rental 2: 29 satoshis were paid for 3 minutes, which is not its price"),
    (verify.WrongLength(2, started=3, booked=4), "rental 2: lasted 3 started minutes, but 4 are booked"),
    (verify.UnpaidMinutes(2, 4), "rental 2: 4 minutes are booked, more than its account has paid for"),
    (
        verify.WrongShares(7, 30, 20, 5),
        "account 7: paid 30 satoshis for minutes, but the shares of its rentals are 20 and 5 are not shared yet",
    ),
    (
        verify.WrongSums(7, expected=(1, 0, 10, 10), stored=(2, 1, 20, 0)),
        "account 7: it has 1 live rentals (0 with a monthly cap) for 10 satoshis a minute (10 accrued), stored as 2 (1)"
        " for 20 (0)",
    ),
    (
        verify.WrongMinuteCost(7, 4, 1000, 10, 11),
        "account 7: in part 4 of the minute (1000 microseconds each), the minutes of rentals for 10 satoshis a"
        " minute start, but the stored sum is 11",
    ),
    (verify.WrongMessageCost(9, 5, 6), "message 9: costs 5 satoshis, but 6 are booked for it"),
    (
        verify.WrongMessageState(9, "sent", None, is_submitted=True, is_refunded=False),
        "message 9: status is sent, its delivery is missing and in progress, no refund is booked for it",
    ),
    (
        verify.WrongDeposit("aa", 1, owner_id=7, status="credited", booked_sats=0, amount_sats=10, account_id=8),
        "deposit aa:1 of account 7: status is credited, but 0 of 10 satoshis are booked for it to account 8",
    ),
    (
        verify.WrongInvoice(3, "ab", state="settled", credited_sats=10, booked_sats=0),
        "invoice 3 (ab): status is settled with 10 satoshis credited, but 0 are booked for it",
    ),
    (
        verify.WrongInvoice(None, "ab", state="unknown", credited_sats=0, booked_sats=10),
        "a Lightning payment without an invoice (ab): status is unknown with 0 satoshis credited, but 10 are booked for it",
    ),
    (
        verify.WrongNode(1, expected=(1500, 0, 500, 1), stored=(2500, 0, 500, 2)),
        "Lightning node 1: its invoices sum to (1500, 0, 500, 1) (received, fees and rounding in millisatoshis, credited"
        " satoshis), stored as (2500, 0, 500, 2)",
    ),
    (
        verify.WrongLightningBooks("fees", expected_sats=3, booked_sats=2),
        "Lightning fees: the ledger has 2 satoshis, the nodes' sums are 3",
    ),
    (
        daily_sums.WrongDailySum(1, "deposit", expected_sats=3, stored_sats=2),
        "1970-01-02: the deposit transfers sum to 3 satoshis, stored as 2",
    ),
    (verify.WrongDepletion(7, None, 5), "account 7: runs out at None, stored as 5 (microseconds)"),
]


@pytest.mark.parametrize(("found", "said"), DIFFERENCES, ids=[type(found).__name__ for found, _ in DIFFERENCES])
def test_verify_has_a_sentence_for_each_difference(found: verify.Difference, said: str) -> None:
    assert difference_text(found) == said


def deposit(status: str, at: Confirmations, *, is_coinbase: bool = False, trouble: str | None = None) -> Explanation:
    return Explanation(
        "ab:0", 100, "bc1q", 4, 7, status, is_coinbase, at, [Booking(5, "deposit", 100)], [(8, 9)], trouble
    )


def test_explain_says_what_a_pending_deposit_waits_for() -> None:
    unmined = Confirmations(None, 0, 3, 100)
    assert explanation_lines(deposit("pending", unmined, trouble="it is away")) == [
        "It pays 100 satoshis to bc1q, index 4 of the descriptor, issued to account 7.",
        "It is pending: in no block of the best chain; an amount like this needs 3 confirmations.",
        "Booked: deposit, 100 satoshis, transfer 5.",
        "Blocks 8 to 9 were never read: this service cannot know whether its transaction was mined in one of them and its"
        " output spent since.",
        "Nothing is being credited: it is away.",
    ]
    mined = Confirmations(50, 2, 3, 250)
    assert (
        "in block 50, 2 deep; 250 satoshis of this account have fewer than 3"
        in explanation_lines(deposit("pending", mined))[1]
    )
    assert "newly mined coins need 3" in explanation_lines(deposit("pending", mined, is_coinbase=True))[1]
    assert explanation_lines(deposit("credited", mined))[1] == "It is credited: in block 50, 2 deep."


def test_doctor_reports_the_address_gap_and_warns_when_it_is_wide() -> None:
    assert health_text.gap_lines(AddressGap(0, 0, 0)) == []
    (line,) = health_text.gap_lines(AddressGap(5, 3, 2))
    assert line.startswith("address gap: 2 (highest index issued 5, highest paid 3; 2 addresses are waiting")
    assert health_text.gap_complaints(AddressGap(GAP_OF_INIT - 1, 0, UNPAID_ALARM)) == []
    assert len(health_text.gap_complaints(AddressGap(GAP_OF_INIT, 0, UNPAID_ALARM + 1))) == 2


def test_doctor_explains_why_a_stray_matched_no_number() -> None:
    def stray(destination: str) -> Stray:
        return Stray(destination, 2, 0, 0, in_stock=False)

    misread = [
        Misread(stray("+2025550100"), "+12025550100"),
        Misread(stray("+0012025550100"), "+12025550100"),
        Misread(stray("+442025550100"), "+12025550100"),
    ]
    first, second, third, unknown = diagnosis_lines(Diagnosis(misread, [stray("+999\n")]))
    assert first.endswith('did you set country_code = "1" in its [[carrier]]? If so, ask for international numbers')
    assert second.endswith("the carrier adds an international prefix; ask it for plain international numbers")
    assert third.endswith("check the country_code in its [[carrier]]")
    assert unknown.startswith("2 SMS arrived for 1 number not in stock, the last for +999?: import these numbers")
    many = diagnosis_lines(Diagnosis(misread[:1] * (SHOWN_MAX + 3), []))
    assert many[-1] == "3 other destinations have the same problem"
    assert stray_lines([stray("+999")] * (SHOWN_MAX + 2))[-1] == "  and 2 more"
