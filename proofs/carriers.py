"""The proofs about carriers: rows 9, 16, 23 and 25."""

from proofs.pytest_claims import Printed, Program, Tests

CARRIERS = Tests(
    [
        "tests/smpp/test_kill.py",
        "tests/smpp/test_links.py",
        "tests/smpp/test_deliver.py",
        "packages/dtmf-server/tests/operations/test_ingest.py",
        "packages/dtmf-server/tests/operations/test_receipts.py",
    ],
    failed="acknowledged but missing, mixed up or duplicated",
)
PARSERS = Program(
    ["packages/dtmf-server/tests/carriers/smpp/fuzz_pdu.py", "10000000"],
    [Printed("runs", r"number_of_executed_units: (\d+)", None)],
    small_command=["packages/dtmf-server/tests/carriers/smpp/fuzz_pdu.py", "100000"],
)
_CALLBACKS = "packages/dtmf-server/tests/carriers/fuzz_callbacks.py"
CALLBACK_PARSERS = Program(
    [_CALLBACKS, "2000000"],
    [Printed("runs over the other kinds of carriers", r"number_of_executed_units: (\d+)", None)],
    small_command=[_CALLBACKS, "20000"],
)
PAID = Tests(
    ["tests/smpp/test_paid.py"],
    full={"DTMF_SMPP_SUBMITS": "1000", "DTMF_SMPP_LATE_S": "120", "DTMF_SMPP_KILLS": "125"},
    small={"DTMF_SMPP_SUBMITS": "24"},
    printed=[
        Printed("SMS disturbed", r"(\d+) SMS disturbed", None),
        Printed("SMS at the carrier when the process was killed", r"killed \w+ with (\d+) SMS", None),
        Printed("accepted but not charged", r"(\d+) accepted but not charged"),
        Printed("refused but not refunded", r"(\d+) refused but not refunded"),
        Printed("sent twice", r"(\d+) sent twice"),
    ],
)
FAULTS = Tests(
    [
        "tests/carriers/test_http_faults.py",
        "tests/carriers/test_gammu_faults.py",
        "tests/carriers/twilio/test_kill.py",
        "tests/carriers/telnyx/test_kill.py",
    ],
    full={"DTMF_CARRIER_ROUNDS": "10"},
    printed=[
        Printed("faults", r"(\d+) faults, \d+ kills", None),
        Printed("kills", r"\d+ faults, (\d+) kills", None),
        Printed("acknowledged but absent", r"(\d+) acknowledged but absent"),
        Printed("shown twice", r"(\d+) shown twice"),
        Printed("shown to a wrong renter", r"(\d+) shown to a wrong renter"),
        Printed("forged accepted", r"(\d+) forged but shown"),
        Printed("sent twice", r"(\d+) sent twice"),
        Printed("taken but not paid, or the reverse", r"(\d+) taken but not paid"),
        Printed("wrong outcomes", r"(\d+) sent but not taken"),
    ],
)
