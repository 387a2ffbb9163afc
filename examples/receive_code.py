"""Rent a number, wait for a code and end the rental.

    DTMF_TOKEN=dtmf_… python examples/receive_code.py              waits for a code, at most 3 minutes
    DTMF_TOKEN=dtmf_… python examples/receive_code.py --sandbox    in a sandbox: also deposits coins and sends the code

Prints the number, then the code. The rental always ends.
"""

import sys
import threading

from dtmf import DTMF, TimedOutError


def be_the_phone(dtmf: DTMF, e164: str) -> None:
    """Send what a website would send to the number: first an advertisement, then the code."""
    dtmf.sandbox.receive(e164, "MyShop", "Welcome! Use promo code HELLO2026 for 10% off orders over $50.")
    dtmf.sandbox.receive(e164, "MyShop", "482-913 is your MyShop code. It expires in 10 minutes.")


def main() -> int:
    """Return the exit status: 0 with a code, 1 without."""
    sandbox = "--sandbox" in sys.argv[1:]
    with DTMF() as dtmf:  # reads DTMF_TOKEN and DTMF_URL (default: http://127.0.0.1:8000)
        if sandbox and dtmf.account()["balance"] < 10_000:
            dtmf.sandbox.deposit(dtmf.new_address()["address"], 100_000)
        with dtmf.rental("us-mobile") as number:
            print(number.e164, flush=True)  # enter this number on the website that sends the code
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
