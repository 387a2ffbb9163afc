"""The fixtures of tests of what an operator deploys."""

from support.webhook_fixtures import account, db, dtmf, receiver

__all__ = ["account", "db", "dtmf", "receiver"]
