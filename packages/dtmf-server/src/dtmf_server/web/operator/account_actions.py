"""Suspend and resume an account, as `dtmf-server accounts suspend|resume` does. Both need a recent sign-in and a reason, and
are recorded under the operator's name."""

from collections.abc import Callable
from typing import Any

from litestar import Response, post
from litestar.params import FromPath

from dtmf_server.core.errors import InvalidRequest, Refusal
from dtmf_server.http.request import Request
from dtmf_server.operations import audit, operator_sign_in, suspend
from dtmf_server.operations.audit import By
from dtmf_server.operations.suspend import AccountClosed, AlreadySuspended, NotSuspended
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import templating
from dtmf_server.web.kit.forms import EMPTY, Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.request import form_of
from dtmf_server.web.operator import accounts, views
from dtmf_server.web.operator.views import Visit

REASON_MAX = 500
_SHOWN_ON_THE_PAGE = (InvalidRequest, AccountClosed, AlreadySuspended, NotSuspended)


@post("/operator/accounts/{account_id:int}/suspend")
async def post_suspend(request: Request, account_id: FromPath[int]) -> Response[Any]:
    """Suspend the account; its rentals are held, or end now."""

    def act(tx: Tx, visit: Visit, form: Form, by: By) -> str:
        ends_rentals = bool(form["end_rentals"])
        suspend.suspend(tx, account_id, now_us=visit.now_us, ends_rentals=ends_rentals)
        what = f"account {account_id}, rentals {'ended' if ends_rentals else 'held'}"
        audit.record(tx, by, "accounts suspend", what, account_id=account_id)
        return "suspended"

    return await _act(request, account_id, act)


@post("/operator/accounts/{account_id:int}/resume")
async def post_resume(request: Request, account_id: FromPath[int]) -> Response[Any]:
    """Resume the account."""

    def act(tx: Tx, visit: Visit, _form: Form, by: By) -> str:
        suspend.resume(tx, account_id, now_us=visit.now_us)
        audit.record(tx, by, "accounts resume", f"account {account_id}", account_id=account_id)
        return "resumed"

    return await _act(request, account_id, act)


async def _act(request: Request, account_id: int, act: Callable[[Tx, Visit, Form, By], str]) -> Response[Any]:
    """Run an action with its reason in one transaction, and show the account again."""

    def run(tx: Tx, visit: Visit, form: Form) -> str:
        operator_sign_in.require_recent(visit.session, wall_us=visit.wall_us)
        return act(tx, visit, form, By(visit.session.operator, _reason(form), visit.wall_us))

    try:
        done = await views.write(request, run)
    except _SHOWN_ON_THE_PAGE as refusal:
        return await _again(request, account_id, refusal)
    return templating.redirect(f"/operator/accounts/{account_id}?done={done}")


async def _again(request: Request, account_id: int, refusal: Refusal) -> Response[Any]:
    return await accounts.show(request, account_id, form=form_of(request) or EMPTY, refusal=refusal)


def _reason(form: Form) -> str:
    """Return the reason. Raises InvalidRequest."""
    reason = form.line("reason")
    if not 1 <= len(reason) <= REASON_MAX or not reason.isprintable():
        raise InvalidRequest("reason", _("Give a reason of 1 to %d characters, on one line.") % REASON_MAX)
    return reason


ROUTES = [post_suspend, post_resume]
