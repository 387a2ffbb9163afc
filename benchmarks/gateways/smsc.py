"""The SMSC that delivers the SMS and receives the webhooks: smsc.mjs, one Node.js process."""

import json
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BOUND_S = 60.0
RUN_S = 300.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """The result of a run, from the first deliver_sm to the last webhook, and the latency of each SMS."""

    per_second: float
    acknowledged_ms: Mapping[str, float]  # p50, p99, greatest: from deliver_sm to its response
    hooked_ms: Mapping[str, float]  # from deliver_sm to its webhook
    busy: float  # the SMSC's own processor time, as a fraction of one processor
    lost: int  # SMS that were acknowledged but had no webhook within half a minute
    kept: Sequence[Mapping[str, Any]]  # headers and bodies of the first webhooks


class Smsc:
    """A running SMSC: gateways bind to `port` and post to `webhook`."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        listening = self._event("listening", 30.0)
        self.port: int = listening["smpp"]
        self.webhook = f"http://127.0.0.1:{listening['http']}/"

    def wait_for_bind(self, system_id: str) -> None:
        """Wait until this gateway is bound; no other may bind now."""
        bound = self._event("bound", BOUND_S)
        assert bound["system_id"] == system_id, f"{bound['system_id']} is bound, not {system_id}"

    def deliver(
        self, system_id: str, count: int, *, numbers: int, outstanding: int = 50, per_second: int = 0
    ) -> Delivered:
        """Deliver SMS, this many unacknowledged at a time or this many a second, until each has reached the receiver."""
        command = {"bind": system_id, "count": count, "numbers": numbers}
        pace = {"outstanding": outstanding, "per_second": per_second}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command | pace).encode() + b"\n")
        self._process.stdin.flush()
        done = self._event("done", RUN_S)
        assert done["refused"] == done["again"] == 0, f"{system_id}: {done['refused']} refused, {done['again']} twice"
        assert done["answers"] == count, f"{system_id}: {count - done['answers']} of {count} not acknowledged"
        return Delivered(
            per_second=done["hooks"] / done["took_ms"] * 1000,
            acknowledged_ms=done["acknowledged_ms"],
            hooked_ms=done["hooked_ms"],
            busy=done["busy"],
            lost=count - done["hooks"],
            kept=done["kept"],
        )

    def _event(self, wanted: str, within_s: float) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], within_s)[0]:
            raise RuntimeError(f"the SMSC did not report {wanted!r} within {within_s:g} s")
        event: dict[str, Any] = json.loads(stdout.readline() or '{"event": "its end"}')
        if event["event"] != wanted:
            raise RuntimeError(f"the SMSC reported {event}, not {wanted!r}")
        return event


@contextmanager
def running() -> Iterator[Smsc]:
    """Run an SMSC until the block ends."""
    command = ["node", str(Path(__file__).parent / "smsc.mjs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            yield Smsc(process)
        finally:
            process.terminate()
