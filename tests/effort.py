"""The effort of the tests: small by default, larger if set in the environment, as `make prove` does.

DTMF_MONEY_STEPS     steps of the state machine on SQLite (default 1,000; `make prove` takes a million)
DTMF_MONEY_STEPS_POSTGRESQL  the same on PostgreSQL, whose steps take longer (default: a tenth)
DTMF_MONEY_EXAMPLES  examples per property of the meter (default 150)
DTMF_MONEY_SEED      the seed of both (default 0: the same run every time); a failure prints it
DTMF_MONEY_SHRINK    0: a failure is shown as it was found, not made small first

DTMF_REFUND_ACCOUNTS  accounts of one network that rent and end in a loop (default 40; `make prove` takes 1,000)

DTMF_CAPS_CLIENTS   programs with tokens of one parent, on each engine (default 24; `make prove` takes 192)
DTMF_CAPS_SMS       SMS that arrive meanwhile (default 40; `make prove` takes 500)
DTMF_CAPS_KILLS     API processes killed meanwhile (default 1; `make prove` takes 12)

DTMF_SCALE_STEPS   steps of a command at which it is killed, spread over all it has (default 6; 0: at every step)
DTMF_SCALE_STEPS_POSTGRESQL  the same on PostgreSQL, where each takes longer (default: half of them)
DTMF_SCALE_KILLS   kills of a command at random moments (default 2)
DTMF_SCALE_CUTS    places at which a backup is cut, and bits flipped in it (default 150; 0: each of both)
DTMF_SCALE_SEED    which ones (default 22)

DTMF_WEBHOOKS_NUMBERS   numbers whose receiver is down for a day (default 6)
DTMF_WEBHOOKS_SMS       SMS that come meanwhile, and again while it flaps (default 25)
DTMF_WEBHOOKS_SEED      of those SMS, their times and the flapping (default 0); a failure prints it
DTMF_WEBHOOKS_DEAD      hosts that never answer (default 60; `make prove` takes 500)
DTMF_WEBHOOKS_FLIPS     signatures with one bit changed (default 2,000; `make prove` takes 100,000)
DTMF_WEBHOOKS_REBINDS   times that a name's address flips (default 1,000)
DTMF_WEBHOOKS_THOROUGH  1: the whole corpus of URLs where an eighth of it does otherwise

DTMF_SMPP_SUBMITS   SMS that are disturbed while their carrier holds them, on each engine (default 24)
DTMF_SMPP_LATE_S    how many seconds a late answer may take after its SMS is in doubt (default 0.2)
DTMF_SMPP_KILLS     processes killed while carriers hold their SMS, 8 each (default 4, one for each step)
DTMF_SMPP_SEED      of what happens to which SMS (default 0); it is printed

DTMF_LIGHTNING_PAYMENTS  Lightning payments while node and service are killed, on each engine (default 30)
DTMF_LIGHTNING_SEED      of their amounts and faults, and the moments of the kills (default 0); it is printed
DTMF_SUPPLY_RUNS    runs of sixty simulated days of buying numbers, on each engine (default 2), each with its own seed
DTMF_SUPPLY_STEP_H  hours between two looks of the worker in them (default 12)
"""

import os
from collections.abc import Sequence
from random import Random

from hypothesis import HealthCheck, Phase, Verbosity, settings

# --- money ---

MONEY_STEPS = int(os.environ.get("DTMF_MONEY_STEPS", "1000"))
MONEY_STEPS_POSTGRESQL = int(os.environ.get("DTMF_MONEY_STEPS_POSTGRESQL", MONEY_STEPS // 10))
MONEY_EXAMPLES = int(os.environ.get("DTMF_MONEY_EXAMPLES", "150"))
MONEY_SEED = int(os.environ.get("DTMF_MONEY_SEED", "0"))
MONEY_SHRINK = os.environ.get("DTMF_MONEY_SHRINK", "1") != "0"
REFUND_ACCOUNTS = int(os.environ.get("DTMF_REFUND_ACCOUNTS", "40"))
CAPS_CLIENTS = int(os.environ.get("DTMF_CAPS_CLIENTS", "24"))
CAPS_SMS = int(os.environ.get("DTMF_CAPS_SMS", "40"))
CAPS_KILLS = int(os.environ.get("DTMF_CAPS_KILLS", "1"))
MONEY_STEPS_PER_RUN = 50
MONEY_RUNS_PER_SEED = 100

MONEY_PROFILE = settings(
    database=None,  # a failure can be reproduced by its seed
    deadline=None,
    derandomize=False,
    print_blob=True,
    verbosity=Verbosity.normal,
    phases=[Phase.generate, *([Phase.shrink] if MONEY_SHRINK else [])],
    suppress_health_check=list(HealthCheck),
)


def money_steps_on(engine: str) -> int:
    """Return the number of steps of the state machine on this engine."""
    return MONEY_STEPS_POSTGRESQL if engine == "postgresql" else MONEY_STEPS


# --- scale ---

SCALE_STEPS = int(os.environ.get("DTMF_SCALE_STEPS", "6"))
SCALE_STEPS_POSTGRESQL = int(os.environ.get("DTMF_SCALE_STEPS_POSTGRESQL", SCALE_STEPS // 2))
SCALE_KILLS = int(os.environ.get("DTMF_SCALE_KILLS", "2"))
SCALE_CUTS = int(os.environ.get("DTMF_SCALE_CUTS", "150"))
SCALE_RESTORED = 150  # damaged backups passed to the command; the others only to its first check
SCALE_SEED = int(os.environ.get("DTMF_SCALE_SEED", "22"))


def scale_steps_on(engine: str) -> int:
    """Return at how many steps a command is killed on this engine."""
    return SCALE_STEPS_POSTGRESQL if engine == "postgresql" else SCALE_STEPS


def spread(total: int, wanted: int) -> Sequence[int]:
    """Return a number of evenly spaced values from 1 to `total`, including both; all values for 0."""
    if wanted == 0 or wanted >= total:
        return range(1, total + 1)
    return sorted({1 + round(place * (total - 1) / (wanted - 1)) for place in range(wanted)})


def chosen(total: int, wanted: int, *, salt: str) -> Sequence[int]:
    """Return a number of random values below `total`; all values for 0."""
    if wanted == 0 or wanted >= total:
        return range(total)
    return sorted(Random(f"{SCALE_SEED} {salt}").sample(range(total), wanted))


# --- webhooks ---

WEBHOOKS_NUMBERS = int(os.environ.get("DTMF_WEBHOOKS_NUMBERS", "6"))
WEBHOOKS_SMS = int(os.environ.get("DTMF_WEBHOOKS_SMS", "25"))
WEBHOOKS_SEED = int(os.environ.get("DTMF_WEBHOOKS_SEED", "0"))
WEBHOOKS_DEAD = int(os.environ.get("DTMF_WEBHOOKS_DEAD", "60"))
WEBHOOKS_FLIPS = int(os.environ.get("DTMF_WEBHOOKS_FLIPS", "2000"))
WEBHOOKS_REBINDS = int(os.environ.get("DTMF_WEBHOOKS_REBINDS", "1000"))
WEBHOOKS_THOROUGH = os.environ.get("DTMF_WEBHOOKS_THOROUGH") == "1"
WEBHOOKS_SHELF = max(700, WEBHOOKS_DEAD + 50, WEBHOOKS_NUMBERS + 50)  # numbers in the tests' catalog

# --- smpp ---

SMPP_SUBMITS = int(os.environ.get("DTMF_SMPP_SUBMITS", "24"))
SMPP_LATE_S = float(os.environ.get("DTMF_SMPP_LATE_S", "0.2"))
SMPP_KILLS = int(os.environ.get("DTMF_SMPP_KILLS", "4"))
SMPP_SEED = int(os.environ.get("DTMF_SMPP_SEED", "0"))

# --- lightning ---

LIGHTNING_PAYMENTS = int(os.environ.get("DTMF_LIGHTNING_PAYMENTS", "30"))
LIGHTNING_SEED = int(os.environ.get("DTMF_LIGHTNING_SEED", "0"))
# --- supply ---

SUPPLY_RUNS = int(os.environ.get("DTMF_SUPPLY_RUNS", "2"))
SUPPLY_STEP_H = int(os.environ.get("DTMF_SUPPLY_STEP_H", "12"))
