"""`/operator/audit`: what operators did, to what, and why."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, get

from dtmf_server.http.request import Request
from dtmf_server.operations import operator_sign_in
from dtmf_server.storage import operator_actions
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit.pagination import PAGE, page_of, position
from dtmf_server.web.operator import views
from dtmf_server.web.operator.views import Visit


@get("/operator/audit")
async def get_audit(request: Request) -> Response[Any]:
    """Show the open sessions, and a page of the audit log, newest first."""
    before = position(request)

    def gather(tx: Tx, visit: Visit) -> Mapping[str, Any]:
        return {
            "page": page_of(operator_actions.newest(tx, before=before, limit=PAGE + 1)),
            "sessions": operator_sign_in.sessions(tx, wall_us=visit.wall_us),
        }

    return await views.render_page(request, "audit.html", gather, nav="audit")


ROUTES = [get_audit]
