"""Paid sign-up: a Lightning payment opens an account, and a claim gets its token.

1. `want` commits an invoice that belongs to account 999, and the hash of its claim secret, before the node is asked.
2. `open_accounts` runs in the transaction that credits the payment, so that the satoshis belong to a customer's account at
   once: the ledger has no place for money that is received and not credited. The account has no token yet.
3. `claim` creates the token, for the claim secret or an L402 credential with its preimage. For 7 days it can be repeated,
   in case the answer was lost: the token before is revoked.
"""

from dtmf_server.core import l402
from dtmf_server.core.errors import ClaimExpired, InvalidClaim, TooManyInvoices
from dtmf_server.core.units import DAY_US
from dtmf_server.operations import invoices, networks
from dtmf_server.storage import account_erasure, instance, sign_ups, tokens
from dtmf_server.storage.db import Row, Tx

OPEN_OF_NETWORK_MAX = 20  # sign-ups that can still be paid, per network of the callers
CLAIM_US = 7 * DAY_US  # how long a claim can be repeated
LABEL = "first"  # of the token


def want(
    tx: Tx,
    *,
    amount_sats: int,
    claim_sha256: bytes,
    external_id: str,
    description: str,
    expiry_s: int,
    network: str | None,
    is_limited: bool,
    now_us: int,
    wall_us: int,
) -> Row:
    """Add a sign-up, whose invoice the node is to create. Return it. `network` is the caller's; None where networks
    are not limited. Raises TooManyInvoices, LightningUnavailable."""
    key = None if network is None else networks.key(tx, network, purpose=b"sign-up network ")
    if key is not None and sign_ups.count_open(tx, key, now_us=now_us) >= OPEN_OF_NETWORK_MAX:
        raise TooManyInvoices(
            f"{OPEN_OF_NETWORK_MAX} invoices for sign-up from your network are open: pay one of them, or wait until one"
            " expires",
            retry_after=60,
        )
    invoice_id = invoices.want_for_nobody(
        tx,
        amount_sats=amount_sats,
        external_id=external_id,
        description=description,
        expiry_s=expiry_s,
        is_limited=is_limited,
        now_us=now_us,
        wall_us=wall_us,
    )
    return sign_ups.add(tx, invoice_id=invoice_id, claim_sha256=claim_sha256, network=key)


def credential(tx: Tx, row: Row) -> str:
    """Return the L402 credential of a sign-up."""
    return l402.credential(l402.key_of(instance.webhook_key(tx)), row["id"], row["payment_hash"])


def by_claim(tx: Tx, claim_sha256: bytes) -> Row:
    """Return the sign-up of a claim secret. Raises InvalidClaim."""
    row = sign_ups.by_claim(tx, claim_sha256)
    if row is None or row["payment_hash"] is None:
        raise InvalidClaim
    return row


def by_credential(tx: Tx, authorization: str) -> Row:
    """Return the sign-up of an L402 credential that is presented with its preimage. Raises InvalidClaim."""
    proved = l402.verify(l402.key_of(instance.webhook_key(tx)), authorization)
    row = None if proved is None else sign_ups.by_payment_hash(tx, proved[1])
    if proved is None or row is None or row["id"] != proved[0]:
        raise InvalidClaim("this credential and preimage don't prove a payment to this service: send both as received")
    return row


def claim(tx: Tx, sign_up_id: int, *, token_sha256: bytes, now_us: int) -> int:
    """Create the token of a paid sign-up, and revoke the one before. Return the account. Raises ClaimExpired."""
    row = sign_ups.lock_and_load(tx, sign_up_id)
    account_id, until_us = row["account_id"], row["claim_until_us"]
    assert account_id is not None, "the caller has seen that it is paid"
    if (until_us is not None and until_us <= now_us) or account_erasure.is_closed(tx, account_id):
        raise ClaimExpired
    if row["token_id"] is not None:
        tokens.revoke(tx, [row["token_id"]], now_us=now_us)
    token_id = tokens.add(tx, account_id=account_id, sha256=token_sha256, label=LABEL, now_us=now_us)
    sign_ups.record_claim(
        tx, sign_up_id, token_id=token_id, claim_until_us=now_us + CLAIM_US if until_us is None else until_us
    )
    return int(account_id)
