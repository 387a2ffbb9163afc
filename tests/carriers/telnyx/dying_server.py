"""`dtmf-server` that kills itself with SIGKILL at one step of the first SMS whose text contains DIE, sent or received.

    python -P dying_server.py STEP run --data DIR …

Steps of sending: before (nothing has been written), accepted (Telnyx's answer has been read, and is not stored), noted (the
outcome has been committed). Steps of a callback: arrived (nothing is stored), stored (committed, and not answered).
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from dtmf_server.callbacks import carriers as callbacks
from dtmf_server.carriers.telnyx.kind import TelnyxCarrier
from dtmf_server.cli.main import main
from dtmf_server.workers.delivery_results import ResultWriter

SENDING, RECEIVING = ["before", "accepted", "noted"], ["arrived", "stored"]


def die() -> None:
    """Kill the process."""
    os.kill(os.getpid(), signal.SIGKILL)


def patch(step: str) -> None:
    """Install the kill at this step."""
    submit: Callable[..., Any] = TelnyxCarrier.submit
    record: Callable[..., Any] = ResultWriter.record_submit
    store: Callable[..., Any] = callbacks.store
    marked = set[int]()

    async def dying_submit(self: Any, message_id: int, message: Any) -> Any:
        if "DIE" not in message.text:
            return await submit(self, message_id, message)
        marked.add(message_id)
        if step == "before":
            die()
        refs = await submit(self, message_id, message)
        if step == "accepted":
            die()
        return refs

    async def dying_record(self: Any, work: Any, message_id: int, *arguments: Any, **named: Any) -> None:
        await record(self, work, message_id, *arguments, **named)
        if message_id in marked and step == "noted":
            die()

    async def dying_store(runtime: Any, carrier: str, items: Sequence[Any]) -> Any:
        is_marked = any("DIE" in str(getattr(item, "content", "")) for item in items)
        if is_marked and step == "arrived":
            die()
        numbers = await store(runtime, carrier, items)
        if is_marked and step == "stored":
            die()
        return numbers

    TelnyxCarrier.submit = dying_submit  # type: ignore[method-assign]  # only in this process
    ResultWriter.record_submit = dying_record  # type: ignore[method-assign]  # only in this process
    callbacks.store = dying_store


if __name__ == "__main__":
    patch(sys.argv.pop(1))
    raise SystemExit(main())
