"""Turn exceptions into problem details or error pages."""

from collections.abc import Callable

from litestar import Response
from litestar.exceptions import HTTPException, ValidationException

from dtmf_server.api.problems import allowed_methods, crashed, http_error, invalid_parameter, refused
from dtmf_server.asgi.browser_requests import wants_page
from dtmf_server.core.errors import Refusal
from dtmf_server.http.request import Request
from dtmf_server.web.kit.error_pages import error_page


def http_exception(request: Request, error: HTTPException) -> Response[bytes]:
    """Return an error page to a browser at an unknown URL, problem details to other clients."""
    if error.status_code not in (404, 405) or not wants_page(request.url.path, request.headers.get("accept", "")):
        return http_error(request, error)
    body, headers = error_page(error.status_code)
    allow = {"allow": allowed_methods(error)} if error.status_code == 405 else {}
    return Response(body, status_code=error.status_code, media_type="text/html", headers=dict(headers) | allow)


HANDLERS: dict[type[Exception], Callable[..., Response[bytes]]] = {
    Refusal: refused,
    ValidationException: invalid_parameter,
    HTTPException: http_exception,
    Exception: crashed,
}
