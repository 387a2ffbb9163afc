"""The output of `dtmf-server verify` for each difference."""

from dtmf_server.core.days import day_name
from dtmf_server.operations import verify, verify_limits
from dtmf_server.operations.daily_sums import WrongDailySum
from dtmf_server.operations.verify_operator import WrongAdjustments, WrongOperatorRefund
from dtmf_server.operations.verify_prices import WrongRentalPrice
from dtmf_server.operations.verify_suspended import WaitsWhileSuspended
from dtmf_server.operations.verify_tokens import WrongTokenSums

_OfMinutes = (
    verify.UnbookedMinutes
    | verify.WrongPrice
    | verify.WrongLength
    | verify.UnpaidMinutes
    | verify_limits.WrongLimit
    | verify_limits.WrongRefund
)


def counts_text(counts: verify.Counts) -> str:
    """Format what was verified."""
    return f"{counts.customers} accounts, {counts.transfers} transfers, {counts.rentals} rentals"


def difference_text(found: verify.Difference) -> str:
    """Describe a contradiction between the database and the ledger in one sentence."""
    match found:
        case verify.WrongBalance() | verify.WrongDebt() | verify.WrongDepletion() | verify_limits.WrongNextLimit():
            return _account_text(found)
        case (
            verify.WrongTotal() | verify.WrongRunningBalance() | WrongTokenSums() | WrongDailySum() | WrongAdjustments()
        ):
            return _ledger_text(found)
        case verify.WrongShares() | verify.WrongSums() | verify.WrongMinuteCost():
            return _sum_text(found)
        case verify.WrongMessageCost() | verify.WrongMessageState() | WaitsWhileSuspended() | WrongOperatorRefund():
            return _message_text(found)
        case (
            verify.WrongDeposit()
            | verify.WrongInvoice()
            | verify.WrongSignUp()
            | verify.WrongNode()
            | verify.WrongLightningBooks()
        ):
            return _deposit_text(found)
        case _:
            return _rental_text(found)


def _account_text(
    found: verify.WrongBalance | verify.WrongDebt | verify.WrongDepletion | verify_limits.WrongNextLimit,
) -> str:
    name = f"account {found.account_id}"
    match found:
        case verify.WrongBalance():
            return f"{name}: the ledger has {found.booked_sats} satoshis, the stored balance is {found.balance_sats}"
        case verify.WrongDebt():
            return (
                f"{name}: the ledger has a debt of {found.booked_sats} satoshis, the stored debt is {found.debt_sats}"
            )
        case verify.WrongDepletion():
            return f"{name}: runs out at {found.expected_us}, stored as {found.stored_us} (microseconds)"
        case verify_limits.WrongNextLimit():
            return (
                f"{name}: a rental reaches a limit at {found.expected_us}, stored as {found.stored_us} (microseconds)"
            )


def _ledger_text(
    found: verify.WrongTotal | verify.WrongRunningBalance | WrongTokenSums | WrongDailySum | WrongAdjustments,
) -> str:
    if isinstance(found, WrongAdjustments):
        return (
            f"account {found.account_id}: operators credited and debited {found.recorded_sats} satoshis by the audit log,"
            f" {found.booked_sats} by the ledger"
        )
    if isinstance(found, WrongDailySum):
        day = day_name(found.day)
        return f"{day}: the {found.kind} transfers sum to {found.expected_sats} satoshis, stored as {found.stored_sats}"
    if isinstance(found, WrongTokenSums):
        (reserved, spent), (stored_reserved, stored_spent) = found.expected, found.stored
        return (
            f"token {found.token_id}: its rentals reserve {reserved} satoshis and cost {spent}, stored as {stored_reserved}"
            f" and {stored_spent}"
        )
    if isinstance(found, verify.WrongTotal):
        return f"the ledger sums to {found.sats} satoshis instead of 0"
    return (
        f"transfer {found.transfer_id} of account {found.account_id}: the balance after it should be"
        f" {found.expected_sats}, but is stored as {found.balance_sats}"
    )


def _rental_text(found: _OfMinutes | WrongRentalPrice) -> str:
    if isinstance(found, WrongRentalPrice):
        return f"rental {found.rental_id}: its prices must be {found.expected}, stored as {found.stored}"
    return _minutes_text(found)


def _minutes_text(found: _OfMinutes) -> str:
    name = f"rental {found.rental_id}"
    match found:
        case verify.UnbookedMinutes():
            return f"{name}: {found.in_ledger} minutes are in the ledger, {found.booked} are stored as booked"
        case verify.WrongPrice():
            return f"{name}: {found.paid_sats} satoshis were paid for {found.minutes} minutes, which is not its price"
        case verify.WrongLength():
            return f"{name}: lasted {found.started} started minutes, but {found.booked} are booked"
        case verify.UnpaidMinutes():
            return f"{name}: {found.booked} minutes are booked, more than its account has paid for"
        case verify_limits.WrongRefund():
            whose = "a group's day" if found.rental_id is None else name
            return f"{whose}: {found.refunded_sats} satoshis were refunded, but {found.booked_sats} are booked"
        case verify_limits.WrongLimit():
            most, cost, ends_us = found.expected
            spent, counted, stored_us = found.stored
            return (
                f"{name}: may have cost {most} satoshis by now and cost {spent}; its messages cost {cost}, stored as {counted};"
                f" a limit ends it at {ends_us}, stored as {stored_us} (microseconds)"
            )


def _sum_text(found: verify.WrongShares | verify.WrongSums | verify.WrongMinuteCost) -> str:
    name = f"account {found.account_id}"
    match found:
        case verify.WrongShares():
            return (
                f"{name}: paid {found.paid_sats} satoshis for minutes, but the shares of its rentals are {found.shares_sats} and"
                f" {found.unshared_sats} are not shared yet"
            )
        case verify.WrongSums():
            rentals, capped, cost, accrued = found.expected
            said_rentals, said_capped, said_cost, said_accrued = found.stored
            return (
                f"{name}: it has {rentals} live rentals ({capped} with a monthly cap) for {cost} satoshis a minute"
                f" ({accrued} accrued), stored as {said_rentals} ({said_capped}) for {said_cost} ({said_accrued})"
            )
        case verify.WrongMinuteCost():
            return (
                f"{name}: in part {found.nth} of the minute ({found.unit_us} microseconds each), the minutes of rentals"
                f" for {found.expected_sats} satoshis a minute start, but the stored sum is {found.stored_sats}"
            )


def _message_text(
    found: verify.WrongMessageCost | verify.WrongMessageState | WaitsWhileSuspended | WrongOperatorRefund,
) -> str:
    if isinstance(found, WrongOperatorRefund):
        return (
            f"message {found.message_id}: an operator refunded {found.refunded_sats} satoshis, but {found.booked_sats} are"
            " booked for it"
        )
    if isinstance(found, WaitsWhileSuspended):
        return f"delivery {found.delivery_id}: waits to be delivered, but account {found.account_id} is suspended"
    if isinstance(found, verify.WrongMessageCost):
        return (
            f"message {found.message_id}: costs {found.cost_sats} satoshis, but {found.booked_sats} are booked for it"
        )
    return (
        f"message {found.message_id}: status is {found.status}, its delivery is {found.delivery_state or 'missing'}"
        f"{' and in progress' if found.is_submitted else ''}, {'a' if found.is_refunded else 'no'} refund is booked for it"
    )


def _deposit_text(
    found: verify.WrongDeposit
    | verify.WrongInvoice
    | verify.WrongSignUp
    | verify.WrongNode
    | verify.WrongLightningBooks,
) -> str:
    if not isinstance(found, verify.WrongDeposit):
        return _lightning_text(found)
    return (
        f"deposit {found.txid}:{found.vout} of account {found.owner_id}: status is {found.status}, but"
        f" {found.booked_sats} of {found.amount_sats} satoshis are booked for it to account {found.account_id}"
    )


def _lightning_text(
    found: verify.WrongInvoice | verify.WrongSignUp | verify.WrongNode | verify.WrongLightningBooks,
) -> str:
    match found:
        case verify.WrongInvoice():
            name = (
                "a Lightning payment without an invoice" if found.invoice_id is None else f"invoice {found.invoice_id}"
            )
            return (
                f"{name} ({found.payment_hash}): status is {found.state} with {found.credited_sats} satoshis credited, but"
                f" {found.booked_sats} are booked for it"
            )
        case verify.WrongSignUp():
            return (
                f"invoice {found.invoice_id} of a sign-up: status is {found.state}, and it belongs to account"
                f" {found.owner_id} instead of {found.account_id} (999: not paid yet)"
            )
        case verify.WrongNode():
            return (
                f"Lightning node {found.node_id}: its invoices sum to {found.expected} (received, fees and rounding in"
                f" millisatoshis, credited satoshis), stored as {found.stored}"
            )
        case verify.WrongLightningBooks():
            return (
                f"Lightning {found.name}: the ledger has {found.booked_sats} satoshis, the nodes' sums are"
                f" {found.expected_sats}"
            )
