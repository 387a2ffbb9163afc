"""AsyncDTMF over other engines: what a call costs, by a bare `http.client` call and by twilio's aiohttp.

All carry the same `account()` through the same client (`AsyncDTMF(transport=…)`, peers/engines.py) to the same stub; only
what sends differs. docs/decisions/0006 says what follows from it."""

import sys
from collections.abc import Iterator

from benchmarks import client, environments, processes
from benchmarks.interleave import Finding, ratio
from benchmarks.processes import PEERS
from benchmarks.round_robin import take_turns
from benchmarks.size import Size

ENGINES = ("ours", "httpx2", "httpx2-transport", "pyreqwest", "aiohttp", "streams", "protocol")


def run(size: Size) -> Iterator[Finding]:
    """A line per engine, by http.client, then by twilio."""
    python = str(environments.python_of("engines"))
    with processes.peer(sys.executable, "stub.py") as stub:
        commands = {name: [python, "-I", str(PEERS / "engines.py"), name, str(stub.port)] for name in ENGINES}
        if size is not Size.SMALLEST:
            commands["twilio"] = client.command("twilio", "async", stub.port)
        commands["bare"] = client.command("bare", "sync", stub.port)
        measured = take_turns(commands, size.of(10, 3, 1))
    for name in [name for name in commands if name != "bare"]:
        yield ratio(measured, name, "bare", name=f"async call over {name}, by http.client", bound=None, raw="{} µs")
    for name in ENGINES if "twilio" in commands else ():
        yield ratio(measured, name, "twilio", name=f"async call over {name}, by twilio", bound=None, raw="{} µs")
