"""AsyncDTMF over other HTTP engines: the cost of a call, relative to bare `http.client` and to twilio's aiohttp.

All make the same `account()` call through the same client (`AsyncDTMF(transport=…)`, peers/engines.py) to the same stub;
only the transport differs. docs/decisions/0006 draws the conclusions."""

import sys
from collections.abc import Iterator

from benchmarks import client, environments, processes
from benchmarks.interleave import Finding, ratio
from benchmarks.processes import PEERS
from benchmarks.round_robin import take_turns
from benchmarks.size import Size

ENGINES = ("ours", "httpx2", "httpx2-transport", "pyreqwest", "aiohttp", "streams", "protocol")


def run(size: Size) -> Iterator[Finding]:
    """Return a line per engine, relative to http.client, then to twilio."""
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
