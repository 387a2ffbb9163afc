"""Rents a number, waits for the code that somebody sends to it, ends the rental.

    DTMF_TOKEN=dtmf_… python examples/receive_code.py              waits until a code comes, at most 3 minutes
    DTMF_TOKEN=dtmf_… python examples/receive_code.py --sandbox    in the sandbox: also pays, and is the phone that sends

Prints the number, then the code. Whatever happens, the rental ends.
"""

import sys
import threading

from dtmf import DTMF, TimedOutError


def be_the_phone(dtmf: DTMF, e164: str) -> None:
    """Sends what a website would, to the number it was told: first an advertisement, then the code."""
    dtmf.sandbox.receive(e164, "MyShop", "Welcome! Use promo code HELLO2026 for 10% off orders over $50.")
    dtmf.sandbox.receive(e164, "MyShop", "482-913 is your MyShop code. It expires in 10 minutes.")


def main() -> int:
    """0 with a code, 1 without."""
    sandbox = "--sandbox" in sys.argv[1:]
    with DTMF() as dtmf:  # the token from DTMF_TOKEN; the address from DTMF_URL, else http://127.0.0.1:8000
        if sandbox and dtmf.account()["balance"] < 10_000:
            dtmf.sandbox.deposit(dtmf.new_address()["address"], 100_000)
        with dtmf.rental("us-mobile") as number:
            print(number.e164, flush=True)  # the number to enter where the code is sent
            phone = threading.Thread(target=be_the_phone, args=(dtmf, number.e164))
            if sandbox:
                phone.start()
            try:
                print(number.wait_for_code())
            except TimedOutError as error:
                print(error, file=sys.stderr)
                return 1
            finally:
                if sandbox:
                    phone.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
