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
}
