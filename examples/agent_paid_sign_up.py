"""Open an account by a Lightning payment, without a person: what a program with a wallet does.

    python examples/agent_paid_sign_up.py                           pays with the program in DTMF_WALLET
    DTMF_TOKEN=dtmf_… python examples/agent_paid_sign_up.py --sandbox    pays with the sandbox's simulated wallet

DTMF_WALLET is a command that pays the invoice in its last argument, for example `lncli payinvoice --force`. The claim is
written to a file before the payment: if this program is killed afterwards, its next run continues with that claim.
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from dtmf import DTMF

AMOUNT = 20_000  # satoshis
CLAIM = Path(os.environ.get("DTMF_CLAIM_FILE", "sign_up.json"))


def pay(invoice: str) -> None:
    """Pay an invoice with the wallet."""
    if "--sandbox" in sys.argv[1:]:
        with DTMF() as another_account:
            another_account.sandbox.pay(invoice)
    else:
        subprocess.run([*shlex.split(os.environ["DTMF_WALLET"]), invoice], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Sign up, pay, claim, and use the account."""
    if CLAIM.exists():
        sign_up = json.loads(CLAIM.read_text())
    else:
        sign_up = DTMF.sign_up(AMOUNT)  # at DTMF_URL
        CLAIM.touch(mode=0o600)
        CLAIM.write_text(json.dumps(sign_up))
        pay(sign_up["invoice"])
    token = DTMF.claim(sign_up)
    with DTMF(token) as dtmf:
        print(dtmf.account()["balance"], "satoshis")
        with dtmf.rental("us-mobile") as number:
            print(number.e164, "is rented")
    CLAIM.unlink()  # after the token is stored


if __name__ == "__main__":
    main()
