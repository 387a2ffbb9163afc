"""The proofs about Lightning and about the supply of numbers: rows 26 and 27."""

from proofs.claim import Together
from proofs.pytest_claims import Printed, Tests

LIGHTNING = Together(
    tuple(
        Tests(
            [
                f"tests/lightning/test_kill.py::test_every_payment_is_credited_once_though_node_and_service_are_killed[{engine}]",
                "tests/lightning/test_settling.py",
            ],
            full={"DTMF_LIGHTNING_PAYMENTS": "1000"},
            small={"DTMF_LIGHTNING_PAYMENTS": "20"},
            printed=[
                Printed("payments", r"'payments': (\d+)", None),
                Printed("kills", r"'kills': (\d+)", None),
                Printed("sats missing or too many", r"'missing sats': (-?\d+)"),
            ],
            on=engine,
        )
        for engine in ("sqlite", "postgresql")
    )
)
SUPPLY = Tests(
    ["tests/supply"],
    full={"DTMF_SUPPLY_RUNS": "10", "DTMF_SUPPLY_STEP_H": "3"},
    printed=[
        Printed("numbers bought", r"(\d+) numbers bought", None),
        Printed("kills", r"(\d+) kills", None),
        Printed("paid and unknown, bought twice, or over a cap", r"(\d+) paid and unknown"),
    ],
)
