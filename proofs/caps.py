"""The proofs of caps: the most that tokens cost, and the most that is refunded."""

from proofs.pytest_claims import Printed, Tests

REFUNDS = Tests(
    ["tests/money/test_rental_refunds.py", "-k", "loop"],
    full={"DTMF_REFUND_ACCOUNTS": "1000"},
    small={"DTMF_REFUND_ACCOUNTS": "40"},
    failed="refunded over the cap",
)

TOKENS = Tests(
    ["tests/scale/test_token_caps.py", "tests/money/test_token_caps.py"],
    full={"DTMF_CAPS_CLIENTS": "192", "DTMF_CAPS_SMS": "500", "DTMF_CAPS_KILLS": "12"},
    printed=[
        Printed("programs", r"siblings, (\d+) clients", None),
        Printed("kills", r"(\d+) kills,", None),
        Printed("SMS", r"clients, (\d+) SMS", None),
        Printed("refunds", r"(\d+) refunds:", None),
        Printed("satoshis spent, of 2,000 each time", r": (\d+) of 2000 satoshis", None),
        Printed("satoshis over the limit", r"(\d+) over the limit"),
    ],
)
