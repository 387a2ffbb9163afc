"""Fixtures of the tests against other people's software: those of the webhooks' tests."""

from webhooks.conftest import account, db, dtmf, receiver

__all__ = ["account", "db", "dtmf", "receiver"]
