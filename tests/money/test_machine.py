"""Whatever happens in whatever order, every satoshi is where counting minute by minute says it is."""

import sys

from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from money.fresh import close_all
from money.machine import Money
from money.sizes import PROFILE, SEED, STEPS_PER_RUN, steps_on


def test_every_satoshi_is_where_counting_says_it_is(database_url: str) -> None:
    engine = database_url.partition(":")[0]
    machine = seed(SEED)(type("Money", (Money,), {"template_url": database_url, "steps_done": 0}))
    runs = max(1, steps_on(engine) // STEPS_PER_RUN)
    try:
        run_state_machine_as_test(
            machine, settings=settings(PROFILE, max_examples=runs, stateful_step_count=STEPS_PER_RUN)
        )
    finally:
        close_all()
        print(f"seed {SEED}: {machine.steps_done} steps on {engine}", file=sys.stderr)
    assert machine.steps_done >= runs * STEPS_PER_RUN, "the machine hardly ran"
