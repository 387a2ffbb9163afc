"""The entry of an error code in the catalog."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

API, WEBSITE, CALLBACKS = "API", "website", "carriers' callbacks"
OPERATOR, CONSOLE = "dtmf-server commands", "operator's console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One code. `members` are those of the example, and `detail` too where the exception's docstring isn't it."""

    status: int
    title: str
    meaning: str
    fix: str
    detail: str = ""
    members: Mapping[str, Any] = field(default_factory=dict)
    where: str = API
