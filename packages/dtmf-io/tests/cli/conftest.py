"""The fixtures of tests of `dtmf`."""

from support.cli_fixtures import account, database_url, dtmf, home, refused, run

__all__ = ["account", "database_url", "dtmf", "home", "refused", "run"]
