"""`dtmf-server` that kills itself with SIGKILL at one step of the first submit whose text contains DIE.

    python dying_submit.py STEP run --data DIR …

Steps: before (nothing has been written to the connection), written (the SMSC has it: the test kills), answered (the
SMSC's answer has been read, but not stored), stored (the outcome has been committed).
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from dtmf_server.carriers.smpp.carrier import SmppCarrier
from dtmf_server.cli.main import main
from dtmf_server.workers.delivery_results import ResultWriter

STEPS = ["before", "written", "answered", "stored"]


def die() -> None:
    """Give the data written to the socket a moment to leave, and kill the process."""
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)


def patch(step: str) -> None:
    """Install the kill at this step."""
    submit: Callable[..., Any] = SmppCarrier.submit
    submitted: Callable[..., Any] = ResultWriter.record_submit
    marked = set[int]()

    async def dying_submit(self: Any, message_id: int, message: Any) -> Any:
        if "DIE" in message.text:
            marked.add(message_id)
            if step == "before":
                die()
        try:
            return await submit(self, message_id, message)
        finally:
            if "DIE" in message.text and step == "answered":
                die()

    async def dying_submitted(self: Any, work: Any, message_id: int, *arguments: Any, **named: Any) -> None:
        await submitted(self, work, message_id, *arguments, **named)
        if message_id in marked and step == "stored":
            die()

    SmppCarrier.submit = dying_submit
    ResultWriter.record_submit = dying_submitted


if __name__ == "__main__":
    patch(sys.argv.pop(1))
    raise SystemExit(main())
