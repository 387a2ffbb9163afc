"""One request of the API as data."""

from __future__ import annotations

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias, TypeVar

    Answer = TypeVar("Answer")
    Call: TypeAlias = tuple["Operation", Callable[[Any], Answer]]


class Operation:
    """A request before its address, token and idempotency key are added."""

    # Not a dataclass: importing `dataclasses` takes longer than the rest of `import dtmf`.
    __slots__ = ("body", "is_public", "method", "path", "wants_result")

    def __init__(
        self,
        method: str,
        path: str,
        body: dict[str, object] | None = None,
        *,
        wants_result: bool = False,
        is_public: bool = False,
    ) -> None:
        self.method = method
        self.path = path
        self.body = body
        self.wants_result = wants_result
        self.is_public = is_public  # carries no token and no idempotency key, and a 402 is a result

    @property
    def is_keyed(self) -> bool:
        """True if the request carries an idempotency key, so that a retry doesn't take effect twice."""
        return self.method in {"POST", "DELETE"} and not self.is_public
