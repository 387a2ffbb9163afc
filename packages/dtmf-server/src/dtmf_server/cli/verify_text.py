"""What `dtmf-server verify` says of each difference."""

from dtmf_server.operations import verify


def counts_text(counts: verify.Counts) -> str:
    """What there was to verify."""
    return f"{counts.customers} accounts, {counts.transfers} transfers, {counts.rentals} rentals"


def difference_text(found: verify.Difference) -> str:
    """One sentence about something in the database that the ledger contradicts."""
    match found:
        case verify.WrongBalance() | verify.WrongDebt() | verify.WrongDepletion():
            return _account_text(found)
        case verify.WrongTotal() | verify.WrongRunningBalance():
            return _ledger_text(found)
        case verify.WrongShares() | verify.WrongSums() | verify.WrongMinuteCost():
            return _sum_text(found)
        case verify.WrongMessageCost() | verify.WrongMessageState():
            return _message_text(found)
        case verify.WrongDeposit():
            return (
                f"deposit {found.txid}:{found.vout} of account {found.owner_id}: is {found.status}, {found.booked_sats} of"
                f" {found.amount_sats} satoshis are booked for it to account {found.account_id}"
            )
        case _:
            return _minutes_text(found)


def _account_text(found: verify.WrongBalance | verify.WrongDebt | verify.WrongDepletion) -> str:
    name = f"account {found.account_id}"
    match found:
        case verify.WrongBalance():
            return f"{name}: the books give {found.booked_sats} satoshis, its balance says {found.balance_sats}"
        case verify.WrongDebt():
            return f"{name}: the books give a debt of {found.booked_sats} satoshis, it says {found.debt_sats}"
        case verify.WrongDepletion():
            return f"{name}: runs out at {found.expected_us}, it says {found.stored_us} (microseconds)"


def _ledger_text(found: verify.WrongTotal | verify.WrongRunningBalance) -> str:
    if isinstance(found, verify.WrongTotal):
        return f"the books sum to {found.sats} satoshis instead of 0"
    return (
        f"transfer {found.transfer_id} of account {found.account_id}: the balance after it should be"
        f" {found.expected_sats}, it says {found.balance_sats}"
    )


def _minutes_text(
    found: verify.UnbookedMinutes | verify.WrongPrice | verify.WrongLength | verify.UnpaidMinutes,
) -> str:
    name = f"rental {found.rental_id}"
    match found:
        case verify.UnbookedMinutes():
            return f"{name}: {found.in_ledger} minutes are in the books, it says {found.booked}"
        case verify.WrongPrice():
            return f"{name}: {found.minutes} minutes were paid with {found.paid_sats} satoshis"
        case verify.WrongLength():
            return f"{name}: lasted {found.started} started minutes, {found.booked} are booked"
        case verify.UnpaidMinutes():
            return f"{name}: {found.booked} minutes are booked, more than its account has paid for"


def _sum_text(found: verify.WrongShares | verify.WrongSums | verify.WrongMinuteCost) -> str:
    name = f"account {found.account_id}"
    match found:
        case verify.WrongShares():
            return (
                f"{name}: paid {found.paid_sats} satoshis for minutes; its rentals' shares are {found.shares_sats}, and"
                f" {found.unshared_sats} are to be shared out"
            )
        case verify.WrongSums():
            rentals, cost, accrued = found.expected
            said_rentals, said_cost, said_accrued = found.stored
            return (
                f"{name}: its live rentals are {rentals} for {cost} satoshis a minute ({accrued} begun), it says"
                f" {said_rentals} for {said_cost} ({said_accrued})"
            )
        case verify.WrongMinuteCost():
            return (
                f"{name}: in part {found.nth} of the minute ({found.unit_us} microseconds each) rentals for"
                f" {found.expected_sats} satoshis a minute start theirs, the sum says {found.stored_sats}"
            )


def _message_text(found: verify.WrongMessageCost | verify.WrongMessageState) -> str:
    if isinstance(found, verify.WrongMessageCost):
        return f"message {found.message_id}: costs {found.cost_sats} satoshis, {found.booked_sats} are booked for it"
    return (
        f"message {found.message_id}: is {found.status}, its delivery is {found.delivery_state or 'missing'}"
        f"{' and under way' if found.is_submitted else ''}, {'a' if found.is_refunded else 'no'} refund is booked for it"
    )
