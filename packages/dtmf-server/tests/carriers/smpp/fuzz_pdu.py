"""Fuzz everything that reads octets from the wire: the codec, texts, concatenation, receipts, the session.

`python packages/dtmf-server/tests/carriers/smpp/fuzz_pdu.py RUNS` searches for an undeclared exception with atheris and
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
    """Raise any exception that a reader of the wire must not raise."""
    frames = Frames()
    middle = len(data) // 2
    for frame in (*frames.feed(data[:middle]), *frames.feed(data[middle:])):
        check_frame(frame)
    sized = (HEADER_SIZE + len(data[4:])).to_bytes(4, "big") + data[4:].ljust(12, b"\0")
    check_frame(len(sized).to_bytes(4, "big") + sized[4:])


def check_frame(frame: bytes) -> None:
    """Check that a frame is a PDU, unchanged after encoding and decoding it again, or Malformed."""
    try:
        pdu = decode(frame)
    except Malformed:
        return
    if isinstance(pdu.body, Sm | DataSm):
        check_message(pdu.body)
    try:
        again = encode(pdu)
    except ValueError:
        return  # a string longer than its field is accepted, but can't be sent
    assert decode(again) == pdu, frame


def check_message(body: Sm | DataSm) -> None:
    """Check that every message has octets, a position and a text, and possibly a receipt."""
    found = contents(body)
    receipt_of(body)
    for alphabet in ("gsm7", "latin1", "ascii", "utf8"):
        text = decode_text(found.octets, coding_of(body.data_coding, default=alphabet))
        assert "\0" not in text
        text.encode()  # fails on lone surrogates, which databases and JSON reject


def main() -> None:
    """Run atheris over `check`."""
    import atheris

    runs = sys.argv.pop(1) if len(sys.argv) > 1 else "100000"
    for (
        each
    ) in gc.get_objects():  # instrumenting the whole interpreter would take a minute and find no bugs of this project
        if isinstance(each, FunctionType) and str(each.__module__).startswith("dtmf_server."):
            atheris.instrument_func(each)
    atheris.Setup([sys.argv[0], f"-runs={runs}", "-max_len=400", "-verbosity=0", "-print_final_stats=1"], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
