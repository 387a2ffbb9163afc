"""What the application needs to know of the website: its routes, and how it says no where no route was reached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Router

BROKEN_OFF = "client disconnected prematurely"  # Litestar's words, with the status of an internal error


@dataclass(frozen=True, slots=True, eq=False)
class Website:
    """The pages beside the API: one for all of a process."""

    routes: Sequence[Router]
    new_state: Callable[[], Mapping[str, Any]]  # what its routes keep beside a runtime
    error_page: Callable[[int, str, int], tuple[bytes, Sequence[tuple[str, str]]]]
    """A whole page and its headers, of a status, a request id and the seconds to wait."""


def wants_page(path: str, accept: str) -> bool:
    """Whether this is somebody's browser, which shall see a page and no JSON."""
    return "text/html" in accept and not path.startswith(("/api/", "/schema/", "/docs", "/healthz", "/readyz"))
