"""The request, and the runtime of the process that answers it."""

from typing import Any

import litestar
from litestar.datastructures import State

from dtmf_server.runtime.context import Runtime

Request = litestar.Request[Any, Any, State]
BROKEN_OFF = "client disconnected prematurely"  # Litestar's words, with the status of an internal error


def runtime_of(request: Request) -> Runtime:
    """The process's runtime."""
    runtime: Runtime = request.scope["state"]["runtime"]
    return runtime
