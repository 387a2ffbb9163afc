"""How much these tests try: little by themselves, as much as `make prove` asks for.

DTMF_SCALE_STEPS   steps of a command at which it is killed, spread over all it has (default 6; 0: at every step)
DTMF_SCALE_STEPS_POSTGRESQL  the same on PostgreSQL, where each takes longer (default: half of them)
DTMF_SCALE_KILLS   kills of a command at random moments (default 2)
DTMF_SCALE_CUTS    places at which a backup is cut, and bits flipped in it (default 150; 0: each of both)
DTMF_SCALE_SEED    which ones (default 22)
"""

import os
from collections.abc import Sequence
from random import Random

STEPS = int(os.environ.get("DTMF_SCALE_STEPS", "6"))
STEPS_POSTGRESQL = int(os.environ.get("DTMF_SCALE_STEPS_POSTGRESQL", STEPS // 2))
KILLS = int(os.environ.get("DTMF_SCALE_KILLS", "2"))
CUTS = int(os.environ.get("DTMF_SCALE_CUTS", "150"))
RESTORED = 150  # damaged backups that are given to the command; the rest to what it asks first
SEED = int(os.environ.get("DTMF_SCALE_SEED", "22"))


def steps_on(engine: str) -> int:
    """At how many steps a command is killed on this engine."""
    return STEPS_POSTGRESQL if engine == "postgresql" else STEPS


def spread(total: int, wanted: int) -> Sequence[int]:
    """So many of the numbers from 1 to `total`, evenly and with both ends; all of them for 0."""
    if wanted == 0 or wanted >= total:
        return range(1, total + 1)
    return sorted({1 + round(place * (total - 1) / (wanted - 1)) for place in range(wanted)})


def chosen(total: int, wanted: int, *, salt: str) -> Sequence[int]:
    """So many of the numbers below `total`, at random; all of them for 0."""
    if wanted == 0 or wanted >= total:
        return range(total)
    return sorted(Random(f"{SEED} {salt}").sample(range(total), wanted))
