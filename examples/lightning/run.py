#!/usr/bin/env python3
"""Top up by Lightning and rent a number, in a sandbox or between two real Lightning nodes on this machine.

    .venv/bin/python examples/lightning/run.py            the sandbox's simulated node
    .venv/bin/python examples/lightning/run.py --nodes    two Electrum wallets with a channel, on regtest

The service and all HTTP requests are real. README.md shows how to use your own node.

Exit status: 0 on success, 1 if a step had an unexpected result, 2 if the programs of the nodes are missing.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from dtmf import DTMF, DTMFError, InsufficientFundsError  # noqa: E402 - the tests' folder first
from lightning_nodes.electrum_pair import LOGIN, CallRefused, ElectrumPair, from_environment  # noqa: E402 - the same
from support.server_process import Service  # noqa: E402 - the same

PROGRAMS = ("DTMF_TEST_BITCOIND", "DTMF_TEST_ELECTRUM", "DTMF_TEST_ELECTRUMX")
INSTALL = f"--nodes needs {', '.join(PROGRAMS)}: `make test-lightning` installs these programs and runs this example"
HOURS = 2
NODE_TIMEOUT_S = 60.0
CONFIGURATION = """\
[bitcoin]
network = "regtest"

[lightning]
kind = "electrum"
url = "{url}"
user = "{user}"
password = "{password}"
allow_hot_wallet = true
poll_s = 0.2
"""

Pay = Callable[[str], object]  # pays an invoice from the payer's wallet


class Unexpected(Exception):
    """A step had an unexpected result."""


@contextlib.contextmanager
def sandbox(folder: Path) -> Iterator[tuple[DTMF, Pay]]:
    """Run a service with the simulated node."""
    with Service(folder) as process:
        process.wait_ready()
        with DTMF(process.token, base_url=process.url) as dtmf:
            yield dtmf, dtmf.sandbox.pay


@contextlib.contextmanager
def real_nodes(folder: Path, pair: ElectrumPair) -> Iterator[tuple[DTMF, Pay]]:
    """Run a service on the wallet of the receiver; the payer is another wallet."""
    user, _, password = LOGIN.partition(":")
    config = folder / "dtmf.toml"
    config.write_text(CONFIGURATION.format(url=pair.receiver.url, user=user, password=password))
    with Service(folder, "--config", config) as process:
        process.wait_ready()
        with DTMF(process.token, base_url=process.url, max_retries=10, timeout=NODE_TIMEOUT_S) as dtmf:
            yield dtmf, pair.payer.pay


def play(dtmf: DTMF, pay: Pay) -> None:
    """Rent with an empty balance, pay what is missing, and rent again."""
    group = dtmf.groups("mobile")[0]
    try:
        dtmf.start_rental(group["id"])
    except InsufficientFundsError as error:
        missing = error.shortfall or 0
        print(f"{group['id']}: {error.required} sats are due, and {missing} are missing")
    else:
        raise Unexpected("a number was rented without a balance")
    amount = missing + group["rental_cost_per_minute"] * 60 * HOURS
    invoice = dtmf.new_invoice(amount)
    print(f"an invoice of {invoice['amount']} sats: {invoice['invoice'][:20]}…")
    started_s = monotonic()
    pay(invoice["invoice"])
    paid_s = monotonic()
    event = dtmf.wait_for_deposit(invoice, timeout=NODE_TIMEOUT_S)
    print(f"paid in {paid_s - started_s:.2f} s, and credited {monotonic() - paid_s:.2f} s later")
    expect(event["amount"], amount)
    expect(dtmf.account()["balance"], amount)
    number = dtmf.start_rental(group["id"])
    print(f"rented {number['e164']} for {HOURS} hours")
    try:
        pay(invoice["invoice"])
    except (CallRefused, DTMFError) as error:
        print(f"paying again is refused: {error}")
    expect(dtmf.invoice(invoice["id"])["status"], "settled")
    expect(sum(row["kind"] == "lightning_deposit" for row in dtmf.transactions()), 1)


def expect(found: object, wanted: object) -> None:
    """Raise Unexpected unless these are equal."""
    if found != wanted:
        raise Unexpected(f"{found!r} instead of {wanted!r}")


def main() -> int:
    """Run the example. Return the exit status."""
    with_nodes = "--nodes" in sys.argv[1:]
    if with_nodes and not all(os.environ.get(name) for name in PROGRAMS):
        print(INSTALL, file=sys.stderr)
        return 2
    try:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            if with_nodes:
                pair = stack.enter_context(from_environment())
                print(f"two wallets with a channel, usable {pair.channel_after_s:.1f} s after it was opened")
                play(*stack.enter_context(real_nodes(folder, pair)))
            else:
                play(*stack.enter_context(sandbox(folder)))
    except Unexpected as error:
        print(f"unexpected: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
