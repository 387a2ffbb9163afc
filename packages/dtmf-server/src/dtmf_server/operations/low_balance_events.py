"""The events `balance.low`, with what would pay for another day."""

from dtmf_server.core import billing
from dtmf_server.core.low_balance import LowBalance
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.storage.accounts import Account
from dtmf_server.storage.events import Event


def event(account: Account, warning: LowBalance) -> Event:
    """Return the event of a warning that becomes due after the account's last settlement."""
    balance = account.balance - billing.cost_between(account.costs, account.settled_at_us, warning.at_us)
    data = {"hours": warning.hours, "balance": balance, "runs_out_at_us": warning.depletes_at_us}
    data["shortfall"] = account.costs.total * DAY_US // MINUTE_US
    return Event(account.id, warning.at_us, "balance.low", data=data)
