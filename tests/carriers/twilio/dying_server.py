"""`dtmf-server` that kills itself with SIGKILL at one step of a callback or a submit whose text contains DIE.

    python dying_server.py STEP run --data DIR …

Steps of a callback: parsed (nothing stored), storing (in the transaction), stored (committed, not answered).
Steps of a submit: before (nothing written), answered (Twilio's reply was read, and nothing is stored), recorded (the
result is committed).
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from dtmf_server.callbacks import carriers as callbacks
from dtmf_server.carriers.twilio.carrier import TwilioCarrier
from dtmf_server.cli.main import main
from dtmf_server.operations import ingest
from dtmf_server.workers.delivery_results import ResultWriter

CALLBACK_STEPS = ["parsed", "storing", "stored"]
SUBMIT_STEPS = ["before", "answered", "recorded"]


def die() -> None:
    """End the process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def has_it(items: Any) -> bool:
    """Return whether one of these items is the SMS."""
    return any("DIE" in getattr(item, "content", "") for item in items)


def patch_callbacks(step: str) -> None:
    """Install the kill at this step of a callback."""
    store: Callable[..., Any] = callbacks.store
    receive_many: Callable[..., Any] = ingest.receive_many

    async def dying_store(runtime: Any, carrier: str, items: Any) -> Any:
        if has_it(items) and step == "parsed":
            die()
        numbers = await store(runtime, carrier, items)
        if has_it(items) and step == "stored":
            die()
        return numbers

    def dying_receive(tx: Any, inbound: Any, **named: Any) -> Any:
        result = receive_many(tx, inbound, **named)
        if has_it(inbound) and step == "storing":
            die()
        return result

    callbacks.store = dying_store
    ingest.receive_many = dying_receive


def patch_submits(step: str) -> None:
    """Install the kill at this step of a submit."""
    submit: Callable[..., Any] = TwilioCarrier.submit
    record: Callable[..., Any] = ResultWriter.record_submit
    marked = set[int]()

    async def dying_submit(self: Any, message_id: int, message: Any) -> Any:
        if "DIE" not in message.text:
            return await submit(self, message_id, message)
        marked.add(message_id)
        if step == "before":
            die()
        refs = await submit(self, message_id, message)
        if step == "answered":
            die()
        return refs

    async def dying_record(self: Any, work: Any, message_id: int, *arguments: Any, **named: Any) -> None:
        await record(self, work, message_id, *arguments, **named)
        if message_id in marked and step == "recorded":
            die()

    TwilioCarrier.submit = dying_submit  # type: ignore[method-assign]  # the kill
    ResultWriter.record_submit = dying_record


if __name__ == "__main__":
    step = sys.argv.pop(1)
    (patch_callbacks if step in CALLBACK_STEPS else patch_submits)(step)
    raise SystemExit(main())
