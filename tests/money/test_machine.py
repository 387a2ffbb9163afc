"""For any sequence of events, every satoshi is where counting minute by minute puts it."""

import sys

from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from effort import MONEY_PROFILE, MONEY_RUNS_PER_SEED, MONEY_SEED, MONEY_STEPS_PER_RUN, money_steps_on
from money.fresh import close_all
from money.state_machine.rules import Money


def test_every_satoshi_is_where_counting_says_it_is(database_url: str) -> None:
    engine = database_url.partition(":")[0]
    machine, wanted, tried = _machine(database_url), money_steps_on(engine), MONEY_SEED
    try:
        while machine.steps_done < wanted:
            runs = min(MONEY_RUNS_PER_SEED, 1 + (wanted - machine.steps_done) // MONEY_STEPS_PER_RUN)
            size = settings(MONEY_PROFILE, max_examples=runs, stateful_step_count=MONEY_STEPS_PER_RUN)
            run_state_machine_as_test(seed(tried)(machine), settings=size)
            tried += 1
            print(f"{engine}: {machine.steps_done} of {wanted} steps", file=sys.stderr, flush=True)
    except BaseException:
        print(f"to reproduce: DTMF_MONEY_SEED={tried}, engine {engine}", file=sys.stderr)
        raise
    finally:
        close_all()
    print(f"{machine.steps_done} steps on {engine}, seeds {MONEY_SEED} to {tried - 1}: every satoshi accounted for")


def _machine(database_url: str) -> type[Money]:
    """Return the state machine for this engine, with its own step counter."""

    class OnThisEngine(Money):
        template_url = database_url
        steps_done = 0

    return OnThisEngine
