"""How much the random tests of the money try: little by itself, as much as the environment asks for.

DTMF_MONEY_STEPS     steps of the state machine on SQLite (default 1,000; `make prove` takes a million)
DTMF_MONEY_STEPS_POSTGRESQL  the same on PostgreSQL, whose steps take longer (default: a tenth)
DTMF_MONEY_EXAMPLES  examples per property of the meter (default 150)
DTMF_MONEY_SEED      the seed of both (default 0: the same run every time); a failure prints it
DTMF_MONEY_SHRINK    0: a failure is shown as it was found, not made small first
"""

import os

from hypothesis import HealthCheck, Phase, Verbosity, settings

STEPS = int(os.environ.get("DTMF_MONEY_STEPS", "1000"))
STEPS_POSTGRESQL = int(os.environ.get("DTMF_MONEY_STEPS_POSTGRESQL", STEPS // 10))
EXAMPLES = int(os.environ.get("DTMF_MONEY_EXAMPLES", "150"))
SEED = int(os.environ.get("DTMF_MONEY_SEED", "0"))
SHRINK = os.environ.get("DTMF_MONEY_SHRINK", "1") != "0"
STEPS_PER_RUN = 50
RUNS_PER_SEED = 100

PROFILE = settings(
    database=None,  # a failure is found again by its seed
    deadline=None,
    derandomize=False,
    print_blob=True,
    verbosity=Verbosity.normal,
    phases=[Phase.generate, *([Phase.shrink] if SHRINK else [])],
    suppress_health_check=list(HealthCheck),
)


def steps_on(engine: str) -> int:
    """How many steps the machine takes on this engine."""
    return STEPS_POSTGRESQL if engine == "postgresql" else STEPS
