"""The secrets that webhooks are signed with: shown and rotated."""

from dtmf_server.core import webhook_secret
from dtmf_server.storage import accounts, instance
from dtmf_server.storage.db import Tx


def secret(tx: Tx, account_id: int) -> str:
    """The secret that signs the account's webhooks."""
    version, _ = accounts.webhook_version(tx, account_id)
    return webhook_secret.derive(instance.webhook_key(tx), account_id=account_id, version=version)


def rotate_secret(tx: Tx, account_id: int, *, wall_us: int) -> str:
    """A new secret; the one before signs too for a day."""
    accounts.rotate_webhook_secret(tx, account_id, wall_us=wall_us)
    return secret(tx, account_id)
