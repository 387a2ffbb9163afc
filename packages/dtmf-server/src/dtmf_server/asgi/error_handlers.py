"""Turn exceptions into problem details or error pages."""

from collections.abc import Callable

from litestar import Response
from litestar.exceptions import HTTPException, ValidationException

from dtmf_server.api.problems import _allowed, crashed, http_error, invalid_parameter, refused
from dtmf_server.asgi.browser_requests import Website, wants_page
from dtmf_server.core.errors import Refusal
from dtmf_server.http.request import Request
from dtmf_server.runtime.logging import request_id


def handlers(website: Website) -> dict[type[Exception], Callable[..., Response[bytes]]]:
    """How each exception is answered. A browser that has lost its way gets a page."""

    def lost(request: Request, error: HTTPException) -> Response[bytes]:
        if error.status_code not in (404, 405) or not wants_page(request.url.path, request.headers.get("accept", "")):
            return http_error(request, error)
        body, given = website.error_page(error.status_code, request_id.get() or "", 0)
        headers = dict(given) | ({"allow": _allowed(error)} if error.status_code == 405 else {})
        return Response(body, status_code=error.status_code, media_type="text/html", headers=headers)

    return {Refusal: refused, ValidationException: invalid_parameter, HTTPException: lost, Exception: crashed}
