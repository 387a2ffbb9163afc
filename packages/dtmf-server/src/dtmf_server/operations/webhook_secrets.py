"""The secrets that sign webhooks: reading and rotating them."""

from dtmf_server.core import webhook_secret
from dtmf_server.storage import accounts, instance
from dtmf_server.storage.db import Tx


def secret(tx: Tx, account_id: int) -> str:
    """Return the secret that signs the account's webhooks."""
    version, _ = accounts.webhook_version(tx, account_id)
    return webhook_secret.derive(instance.webhook_key(tx), account_id=account_id, version=version)


def rotate_secret(tx: Tx, account_id: int, *, wall_us: int) -> str:
    """Create a new secret and return it; the previous one also signs for a day."""
    accounts.rotate_webhook_secret(tx, account_id, wall_us=wall_us)
    return secret(tx, account_id)
