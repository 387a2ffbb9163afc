"""Readers of the API's responses. Each raises ValueError if the response does not have the documented form."""

from __future__ import annotations

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from typing import Any


def json_object(answer: Any) -> Any:
    """Return the response if it is a JSON object."""
    if isinstance(answer, dict):
        return answer
    raise ValueError("not a JSON object")


def only(answer: Any, *names: str) -> Any:
    """Return an object of only these members."""
    if missing := [name for name in names if name not in json_object(answer)]:
        raise ValueError(f"no {missing[0]}")
    return {name: answer[name] for name in names}


def json_array(answer: Any) -> Any:
    """Return the response if it is a JSON array."""
    if isinstance(answer, list):
        return answer
    raise ValueError("not a JSON array")


def secret(answer: Any) -> str:
    """Return the member `secret`."""
    secret = json_object(answer).get("secret")
    if isinstance(secret, str):
        return secret
    raise ValueError("no secret")


def url_or_none(answer: Any) -> str | None:
    """Return the member `url`, or None."""
    url = json_object(answer).get("url", answer)
    if url is None or isinstance(url, str):
        return url
    raise ValueError("no URL")


def replayed(answer: Any) -> int:
    """Return the member `replayed`."""
    count = json_object(answer).get("replayed")
    if isinstance(count, int):
        return count
    raise ValueError("no count")


def true(answer: Any) -> bool:
    """Return True: the call has no other result."""
    if answer is None or isinstance(answer, dict):
        return True
    raise ValueError("neither empty nor a JSON object")
