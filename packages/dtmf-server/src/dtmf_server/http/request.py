"""The request type, and access to the process's runtime."""

from typing import Any

import litestar
from litestar.datastructures import State

from dtmf_server.runtime.context import Runtime

Request = litestar.Request[Any, Any, State]
BROKEN_OFF = "client disconnected prematurely"  # Litestar's message; its status is that of an internal error


def runtime_of(request: Request) -> Runtime:
    """Return the process's runtime."""
    runtime: Runtime = request.scope["state"]["runtime"]
    return runtime
