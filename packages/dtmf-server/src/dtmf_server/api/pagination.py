"""Pagination parameters."""

from typing import Annotated

from litestar.params import QueryParameter

from dtmf_server.core.units import INT64_MAX

ID_MAX = INT64_MAX
After = Annotated[int, QueryParameter(ge=0, le=ID_MAX, description="only items with a higher id")]
Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="maximum number of items")]
