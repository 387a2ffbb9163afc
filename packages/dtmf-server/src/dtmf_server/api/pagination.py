"""Pagination parameters."""

from typing import Annotated

from litestar.params import QueryParameter

ID_MAX = 2**63 - 1
After = Annotated[int, QueryParameter(ge=0, le=ID_MAX, description="only what has a higher id")]
Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="at most so many")]
