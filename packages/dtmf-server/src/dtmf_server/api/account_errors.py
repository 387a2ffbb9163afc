"""The error codes of `dtmf-server accounts`: a part of the error catalog."""

from dtmf_server.api.error_entry import OPERATOR, Entry

ACCOUNT_ERRORS: dict[str, Entry] = {
    "unknown_account": Entry(
        status=404,
        title="Unknown account",
        meaning="No account has this ID, number, transaction, address, invoice or token label.",
        fix="Check that you copied all of it. `dtmf-server accounts list` lists the accounts.",
        where=OPERATOR,
    ),
    "several_accounts": Entry(
        status=409,
        title="Several accounts",
        meaning="This token label or transaction belongs to several accounts.",
        fix="Use the ID of one of the accounts that the error lists.",
        where=OPERATOR,
    ),
    "already_suspended": Entry(
        status=409,
        title="Already suspended",
        meaning="This account was suspended before, perhaps by another operator. Nothing was changed.",
        fix="`dtmf-server audit list --account ID` shows who did it and why. To end its held rentals, add `--end-rentals`.",
        where=OPERATOR,
    ),
    "not_suspended": Entry(
        status=409,
        title="Not suspended",
        meaning="This account is not suspended, so it can't be resumed.",
        fix="Nothing to do: its renter can use it. `dtmf-server audit list --account ID` shows what was done to it.",
        where=OPERATOR,
    ),
    "account_closed": Entry(
        status=409,
        title="Account closed",
        meaning="This account was closed, so nothing can be done with it.",
        fix="Its later deposits and refunds are in suspense: `dtmf-server deposits assign` moves them to another account.",
        where=OPERATOR,
    ),
    "balance_left": Entry(
        status=409,
        title="Balance left",
        meaning="The account has a balance, which closing it would forfeit. Nothing was changed.",
        fix="Pay the balance out first. To keep it, add `--forfeit`.",
        detail="account 1000 has a balance of 5013 satoshis: pay it out first, or add --forfeit to keep it",
        where=OPERATOR,
    ),
    "reference_used": Entry(
        status=409,
        title="Reference used",
        meaning="The reference was used for another account, amount or direction. Nothing was booked.",
        fix="Use another `--reference`; `dtmf-server audit list` shows what was booked under this one.",
        detail="the reference 'ticket 7' was used for accounts credit 1000 500: use another one",
        where=OPERATOR,
    ),
    "operator_limit_reached": Entry(
        status=409,
        title="Operator limit reached",
        meaning="The credits, or the debits, of all operators on this UTC day would exceed `operator.credit_per_day_sats`.",
        fix="Book less, wait until midnight UTC, or raise the setting.",
        detail="[operator] credit_per_day_sats = 100000 leaves 200 satoshis for credits until midnight UTC",
        where=OPERATOR,
    ),
    "balance_too_low": Entry(
        status=409,
        title="Balance too low",
        meaning="The balance does not cover the debit. Nothing was booked.",
        fix="Debit less, or add `--as-debt`: the account then owes the rest, and its next credits pay it first.",
        detail="account 1000 has 300 satoshis, 200 fewer than 500: add --as-debt to book the rest as its debt",
        where=OPERATOR,
    ),
    "unknown_charge": Entry(
        status=404,
        title="Unknown charge",
        meaning="There is no message or rental with this ID.",
        fix="`dtmf-server accounts show` lists the account's transactions: the reference of a message is its ID.",
        where=OPERATOR,
    ),
    "already_refunded": Entry(
        status=409,
        title="Already refunded",
        meaning="This message or rental was refunded before, automatically or by an operator; the error says which.",
        fix="Nothing to do: a charge is refunded once. To give more, use `dtmf-server accounts credit`.",
        detail="message 7 was already refunded automatically",
        where=OPERATOR,
    ),
    "not_refundable": Entry(
        status=409,
        title="Not refundable",
        meaning="The charge can't be refunded now: the message is still on its way, the rental is live, it cost nothing, or less"
        " than the refund.",
        fix="Follow the error's detail; end the rental first, or wait until the message is decided.",
        detail="rental 7 is live: refund it once it has ended",
        where=OPERATOR,
    ),
}
