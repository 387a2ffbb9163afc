"""`dtmf-server` that kills itself with SIGKILL at one step of the first deliver_sm whose text is DIE.

    python dying.py STEP run --data DIR …

Steps: arrived (nothing done), storing (in the transaction), stored (committed, not answered), answered (the answer is
out, and the database does not know), noted (the database knows).
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from dtmf_server.carriers.smpp import link
from dtmf_server.cli.main import main
from dtmf_server.operations import ingest
from dtmf_server.workers import carrier_links

STEPS = ["arrived", "storing", "stored", "answered", "noted"]


def die() -> None:
    """Gives what was written to the socket a moment, and ends the process."""
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)


def is_it(batch: Any) -> bool:
    """Whether the message is in this batch."""
    return any(b"DIE" in arrived.frame for arrived in batch)


def patch(step: str) -> None:
    """Puts death at its step."""
    stored: Callable[..., Any] = link._Connection._stored
    receive_many: Callable[..., Any] = ingest.receive_many
    answered: Callable[..., Any] = carrier_links._InboundStore.answered
    write_answers: Callable[..., Any] = carrier_links._InboundStore._write_answers
    seen = []

    async def dying_stored(self: Any, batch: Any) -> Any:
        seen.extend(batch)
        if is_it(batch) and step == "arrived":
            die()
        result = await stored(self, batch)
        if is_it(batch) and step == "stored":
            die()
        return result

    def dying_receive(*arguments: Any, **named: Any) -> Any:
        result = receive_many(*arguments, **named)
        if is_it(seen) and step == "storing":
            die()
        return result

    def dying_answered(self: Any, notes: Any) -> None:
        answered(self, notes)
        if is_it(seen) and step == "answered":
            die()

    async def dying_write(self: Any) -> None:
        await write_answers(self)
        if is_it(seen) and step == "noted":
            die()

    link._Connection._stored = dying_stored
    ingest.receive_many = dying_receive
    carrier_links._InboundStore.answered = dying_answered
    carrier_links._InboundStore._write_answers = dying_write


if __name__ == "__main__":
    patch(sys.argv.pop(1))
    raise SystemExit(main())
