"""Actions of operators, applied to the oracle."""

from money.oracle.service import PlainService


def adjust(plain: PlainService, account_id: int, sats: int, now_us: int, *, as_debt: bool) -> str:
    """Credit an account for an operator; negative: debit it, with any shortfall as debt or not at all."""
    if sats < 0 and not as_debt and plain.at(account_id, now_us).balance < -sats:
        return "balance_too_low"
    plain.move_coins(account_id, sats, now_us)
    return "ok"


def suspend(plain: PlainService, account_id: int, now_us: int, *, ends_rentals: bool) -> None:
    """Refund the messages that no carrier has, and end the rentals if that is asked for."""
    account = plain.settle(account_id, now_us)
    for message in plain.messages.values():
        if message.account_id == account_id and message.status == "queued":
            plain.move_on(message.id, "failed", now_us)
    for rental in list(account.live) if ends_rentals else []:
        assert plain.end(account_id, rental.e164, now_us) == "ok"
        rental.reason = "operator"
