"""The fixtures of tests that deliver."""

from support.webhook_fixtures import account, db, dtmf, receiver

__all__ = ["account", "db", "dtmf", "receiver"]
