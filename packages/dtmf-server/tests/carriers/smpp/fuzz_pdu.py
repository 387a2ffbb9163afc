"""Octets of any kind against everything that reads them: the codec, texts, concatenation, receipts, the session.

`python packages/dtmf-server/tests/carriers/smpp/fuzz_pdu.py RUNS` lets atheris look for an undeclared exception and
exits 1 at the first. The same `check` runs under Hypothesis in test_pdu.py, where atheris has no wheel.
"""

import gc
import sys
from types import FunctionType

from dtmf_server.carriers.smpp.codec import Frames, decode, encode
from dtmf_server.carriers.smpp.concat import contents
from dtmf_server.carriers.smpp.data_coding import coding_of
from dtmf_server.carriers.smpp.delivery_receipt import receipt_of
from dtmf_server.carriers.smpp.pdu import HEADER_SIZE, DataSm, Malformed, Sm
from dtmf_server.core.sms_encoding import decode as decode_text


def check(data: bytes) -> None:
    """Raises what no reader of the wire may raise."""
    frames = Frames()
    middle = len(data) // 2
    for frame in (*frames.feed(data[:middle]), *frames.feed(data[middle:])):
        check_frame(frame)
    sized = (HEADER_SIZE + len(data[4:])).to_bytes(4, "big") + data[4:].ljust(12, b"\0")
    check_frame(len(sized).to_bytes(4, "big") + sized[4:])


def check_frame(frame: bytes) -> None:
    """A frame is a PDU, which stays the same on its way out and in again, or Malformed."""
    try:
        pdu = decode(frame)
    except Malformed:
        return
    if isinstance(pdu.body, Sm | DataSm):
        check_message(pdu.body)
    try:
        again = encode(pdu)
    except ValueError:
        return  # a text longer than its field is taken, and not sent
    assert decode(again) == pdu, frame


def check_message(body: Sm | DataSm) -> None:
    """Every message has its octets, its place, its text, and perhaps a receipt."""
    found = contents(body)
    receipt_of(body)
    for alphabet in ("gsm7", "latin1", "ascii", "utf8"):
        text = decode_text(found.octets, coding_of(body.data_coding, default=alphabet))
        assert "\0" not in text
        text.encode()  # no lone surrogate, which databases and JSON refuse


def main() -> None:
    """Runs atheris over `check`."""
    import atheris

    runs = sys.argv.pop(1) if len(sys.argv) > 1 else "100000"
    for each in gc.get_objects():  # of the whole interpreter it would take a minute, and show nothing of ours
        if isinstance(each, FunctionType) and str(each.__module__).startswith("dtmf_server."):
            atheris.instrument_func(each)
    atheris.Setup([sys.argv[0], f"-runs={runs}", "-max_len=400", "-verbosity=0", "-print_final_stats=1"], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
