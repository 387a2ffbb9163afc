"""Pages for signed-in operators: look up the session and read everything in one transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from litestar import Response

from dtmf_server.core.units import MINUTE_US
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import operator_sign_in
from dtmf_server.operations.operator_sign_in import OperatorSession, OperatorSignedOut
from dtmf_server.storage import operator_sessions
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import csrf, forms, session_cookie, templating
from dtmf_server.web.kit.forms import Form
from dtmf_server.web.kit.i18n import _

T = TypeVar("T")
PAGES = [
    ("health", "/operator", _("Health")),
    ("money", "/operator/money", _("Money")),
    ("accounts", "/operator/accounts", _("Accounts")),
    ("numbers", "/operator/numbers", _("Numbers")),
    ("prices", "/operator/prices", _("Prices")),
    ("carriers", "/operator/carriers", _("Carriers")),
    ("deposits", "/operator/deposits", _("Deposits")),
    ("audit", "/operator/audit", _("Audit log")),
]
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of a signed-in operator, with the current time by both clocks."""

    session: OperatorSession
    now_us: int
    wall_us: int

    @property
    def is_recent(self) -> bool:
        """Whether actions are allowed."""
        return self.session.is_recent(wall_us=self.wall_us)

    @property
    def signed_in_minutes(self) -> int:
        """How long ago the operator signed in."""
        return (self.wall_us - self.session.created_wall_us) // MINUTE_US


def _visit(tx: Tx, request: Request, cookie: str | None) -> Visit:
    if cookie is None:
        raise OperatorSignedOut
    clock = runtime_of(request).clock
    wall_us = clock.wall_us()
    found = operator_sign_in.session(tx, session_cookie.sha256(cookie), wall_us=wall_us)
    return Visit(found, clock.now_us(tx), wall_us)


async def read(request: Request, fn: Callable[[Tx, Visit], T]) -> tuple[Visit, T]:
    """Run `fn` in a read transaction for the signed-in operator. Raises OperatorSignedOut."""
    cookie, db = session_cookie.value_of(request), runtime_of(request).db

    def run(tx: Tx) -> tuple[Visit, T]:
        visit = _visit(tx, request, cookie)
        return visit, fn(tx, visit)

    visit, found = await db.read(run)
    if visit.session.is_stale:
        await db.write(lambda tx: operator_sessions.touch(tx, visit.session.id, wall_us=visit.wall_us))
    return visit, found


async def write(request: Request, fn: Callable[[Tx, Visit, Form], T]) -> T:
    """Run `fn` with a form of the signed-in operator in a write transaction. Raises CsrfRejected, OperatorSignedOut."""
    form = await forms.read(request)
    cookie = csrf.check(request, form)
    return await runtime_of(request).db.write(lambda tx: fn(tx, _visit(tx, request, cookie), form))


async def render_page(
    request: Request, template: str, fn: Callable[[Tx, Visit], Mapping[str, Any]], *, status: int = 200, **more: Any
) -> Response[Any]:
    """Render a page of what `fn` reads, for the signed-in operator. Raises OperatorSignedOut."""
    visit, found = await read(request, fn)
    return render(request, template, visit, found, status=status, **more)


def render(
    request: Request, template: str, visit: Visit, found: Mapping[str, Any], *, status: int = 200, **more: Any
) -> Response[Any]:
    """Render a page of what was read for the signed-in operator."""
    cookie = session_cookie.value_of(request)
    return page(request, template, {"visit": visit, **found, **more}, status=status, cookie=cookie)


def page(
    request: Request, template: str, context: Mapping[str, Any], *, status: int = 200, cookie: str | None
) -> Response[Any]:
    """Render a page of the console. `cookie` keys the CSRF tokens of its forms."""
    answer = templating.page(request, f"operator/{template}", {"pages": PAGES, **context}, status=status, cookie=cookie)
    answer.headers["Content-Security-Policy"] = POLICY
    return answer
