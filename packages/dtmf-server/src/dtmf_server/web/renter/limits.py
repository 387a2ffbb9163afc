"""Limits and the label of a rental in forms: on the page that rents a number, and on the number's own page."""

from typing import Any

from litestar import Response, post
from litestar.params import FromPath

from dtmf_server.core.errors import InvalidRequest
from dtmf_server.core.money import SATS_MAX
from dtmf_server.http import validation
from dtmf_server.http.request import Request
from dtmf_server.operations import limits
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import views
from dtmf_server.web.kit.forms import Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.views import Caller
from dtmf_server.web.renter import number


def limit_of(form: Form, name: str) -> int | None:
    """Return a limit from a form; None if it is empty. Raises InvalidRequest."""
    if not form.line(name):
        return None
    text = _("Enter a whole number of at least 1, or leave this empty for no limit.")
    return form.whole(name, at_least=1, at_most=SATS_MAX, otherwise=text)


def label_of(form: Form) -> str | None:
    """Return the label from a form; None if it is empty. Raises InvalidRequest."""
    label = validation.line("label", form.line("label"))
    if len(label) > validation.LABEL_MAX:
        raise InvalidRequest("label", _("This name is too long. Use at most %d characters.") % validation.LABEL_MAX)
    return label or None


@post("/numbers/{e164:str}/limits")
async def post_limits(request: Request, e164: FromPath[str]) -> Response[Any]:
    """Set the limits and the label of a rental."""

    def change(tx: Tx, visit: Caller, form: Form) -> str:
        number.rented(tx, visit, e164)
        wanted = {name: limit_of(form, name) for name in ("max_minutes", "max_sats")}
        label = label_of(form)
        limits.set_limits(tx, visit.account_id, e164, **wanted, now_us=visit.now_us)
        limits.set_label(tx, visit.account_id, e164, label, now_us=visit.now_us)
        return f"/numbers/{e164}?done=limits"

    return await views.handle_form(
        request, change, again=lambda form, refusal: number.page(request, e164, form, refusal)
    )


ROUTES = [post_limits]
