"""`/numbers/+…`: a number's conversation, cost, sending, SMS action, and ending its rental."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from dtmf.e164 import is_e164
from dtmf_server.core import body_templates
from dtmf_server.core.errors import InvalidRequest, NumberNotRented, Refusal
from dtmf_server.core.rental import Action
from dtmf_server.http import validation
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import ended, limits, rent, send
from dtmf_server.storage import conversations, numbers
from dtmf_server.storage.db import Row, Tx
from dtmf_server.web.kit import views
from dtmf_server.web.kit.forms import EMPTY, Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.pagination import PAGE, digits, page_of, position
from dtmf_server.web.kit.views import Caller
from dtmf_server.web.renter.messages import rental_cost

URL_MAX = 2048


@get("/numbers/{e164:str}")
async def get_number(request: Request, e164: FromPath[str]) -> Response[Any]:
    """Show a number, newest message first. For an ended rental, show its messages and why it ended."""
    return await page(request, e164)


@post("/numbers/{e164:str}/send")
async def post_send(request: Request, e164: FromPath[str]) -> Response[Any]:
    """Send an SMS from the number."""
    settings = runtime_of(request).settings

    def queue(tx: Tx, visit: Caller, form: Form) -> str:
        rented(tx, visit, e164)
        to, content = e164_of(form, "to"), _text_of(form)
        send.send(
            tx,
            visit.account_id,
            sender=e164,
            to=to,
            content=content,
            now_us=visit.now_us,
            daily_limit=settings.daily_limit,
        )
        return f"/numbers/{e164}?done=sent"

    return await views.handle_form(request, queue, again=lambda form, refusal: page(request, e164, form, refusal))


@post("/numbers/{e164:str}/action")
async def post_action(request: Request, e164: FromPath[str]) -> Response[Any]:
    """Set the number's SMS action: store only, forward or webhook."""
    settings = runtime_of(request).settings

    def set_action(tx: Tx, visit: Caller, form: Form) -> str:
        rental = rented(tx, visit, e164)
        chosen = _chosen(form, _masked(rental))
        action = _action_of(form, chosen, rental, sandbox=settings.sandbox)
        rent.set_action(tx, visit.account_id, e164, action, now_us=visit.now_us)
        return f"/numbers/{e164}?done={chosen}"

    return await views.handle_form(request, set_action, again=lambda form, refusal: page(request, e164, form, refusal))


@get("/numbers/{e164:str}/end")
async def get_end(request: Request, e164: FromPath[str]) -> Response[Any]:
    """Ask for confirmation before ending a rental."""

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        rental = rented(tx, visit, e164)
        return {"rental": rental, "cost": rental_cost(tx, rental, now_us=visit.now_us)}

    settings = runtime_of(request).settings
    kept = {"rest_us": settings.cooldown_us, "retention_us": settings.retention_us}
    return await views.render_page(request, "number_end.html", gather, nav="numbers", **kept)


@post("/numbers/{e164:str}/end")
async def post_end(request: Request, e164: FromPath[str]) -> Response[Any]:
    """End the rental."""

    def end(tx: Tx, visit: Caller, _form: Form) -> str:
        rented(tx, visit, e164)
        caps = runtime_of(request).settings.refund_caps
        rent.end(tx, visit.account_id, e164, now_us=visit.now_us, refund_caps=caps)
        return "/numbers?done=ended"

    return await views.handle_form(request, end)


def e164_of(form: Form, name: str) -> str:
    """Return a phone number from a form. Raises InvalidRequest with a hint how to write it."""
    number = form.number(name)
    if is_e164(number):
        return number
    if not number:
        raise InvalidRequest(name, _("Enter a phone number with + and the country code, like +447700900123."))
    if number.startswith("00") and is_e164("+" + number[2:]):
        raise InvalidRequest(name, _("Start with + instead of 00: +%s.") % number[2:])
    raise InvalidRequest(name, _("Use + and the country code, digits only, like +447700900123."))


def _text_of(form: Form) -> str:
    content = validation.text("content", form.text("content"))
    if not content.strip():
        raise InvalidRequest("content", _("Enter the text of your message."))
    if len(content) > validation.TEXT_MAX:
        words = _("This message is too long. It has %(has)d characters; the limit is %(may)d.")
        raise InvalidRequest("content", words % {"has": len(content), "may": validation.TEXT_MAX})
    return content


def _chosen(form: Form, rental: Mapping[str, Any]) -> str:
    """Return the chosen action or, if only a destination was typed, the action it belongs to. Raises InvalidRequest if
    the two contradict each other."""
    stored = (rental["action"] or "store", rental["destination"] or "")
    seen = Form({"action": form.shown("shown_action", stored[0]), "at": form.shown("shown_destination", stored[1])})
    before = (seen["action"], seen.number("at") if seen["action"] == "forward" else seen.line("at"))
    chosen = form["action"] or before[0]
    typed = [
        action
        for action, value in (("forward", form.number("forward_to")), ("webhook", form.line("webhook_url")))
        if value and (action, value) != before
    ]
    if len(typed) > 1:
        text = _("You entered both a phone number and a URL. Clear one of the two fields.")
        raise InvalidRequest("action", text)
    if not typed or typed[0] == chosen:
        return chosen
    if chosen == before[0] and _is_untouched(form, chosen, before[1]):
        return typed[0]
    if typed[0] == "forward":
        text = _("You entered a phone number but chose another option. Choose forwarding, or clear the phone number.")
    else:
        text = _("You entered a URL but chose another option. Choose the webhook, or clear the URL.")
    raise InvalidRequest("action", text)


def _is_untouched(form: Form, action: str, destination: str) -> bool:
    """True if the action's field is unchanged or was cleared."""
    values = {"store": "", "forward": form.number("forward_to"), "webhook": form.line("webhook_url")}
    return values.get(action, "") in ("", destination)


def _action_of(form: Form, chosen: str, rental: Row, *, sandbox: bool) -> Action | None:
    e164 = rental["e164"]
    if chosen == "store":
        return None
    if chosen == "forward":
        to = e164_of(form, "forward_to")
        if to == e164:
            raise InvalidRequest("forward_to", _("A number can't forward to itself. Enter a different number."))
        return validation.action(e164, to, sandbox=sandbox)
    if chosen != "webhook":
        raise InvalidRequest("action", _("Choose one of the three options."))
    url = form.line("webhook_url")
    if not url or is_e164(url) or len(url) > URL_MAX:
        raise InvalidRequest("webhook_url", _("Enter the webhook's URL, starting with https://."))
    try:
        return validation.action(e164, _with_template(url, form["template"], rental), sandbox=sandbox)
    except InvalidRequest as error:
        detail = error.detail.rpartition("webhook's URL: ")[2]
        raise InvalidRequest("webhook_url", detail) from error


def _with_template(url: str, name: str, rental: Row) -> str:
    """Return the URL with the chosen template. The URL shown is masked: unchanged, it means the one that is stored."""
    stored = rental["destination"] or ""
    if url != stored and url == _masked(rental)["destination"]:
        if name not in ("", body_templates.split(stored)[1]):
            raise InvalidRequest("webhook_url", _("Enter the URL again to change its format."))
        return str(stored)
    return body_templates.joined(url.partition("#")[0], name) if name in body_templates.NAMES else url


def _masked(rental: Row) -> dict[str, Any]:
    """Return the rental with its destination as it may be shown."""
    destination = rental["destination"]
    return {**rental, "destination": None if destination is None else body_templates.masked(destination)}


def rented(tx: Tx, visit: Caller, e164: str) -> Row:
    """Return the live rental. Raises NumberNotRented, also for other renters' numbers and numbers that don't exist."""
    if not is_e164(e164):
        raise NumberNotRented
    return rent.live_rental(tx, visit.account_id, e164, now_us=visit.now_us)


def _shown(tx: Tx, visit: Caller, live: Row | None, over: list[dict[str, Any]], asked: int | None) -> Row:
    """Return the requested rental, or else the live one, or else the last to end. Raises NumberNotRented."""
    if asked is not None:
        return ended.of_id(tx, visit.account_id, asked, now_us=visit.now_us)
    return live or over[0]


def _live_or_none(tx: Tx, visit: Caller, e164: str) -> Row | None:
    try:
        return rented(tx, visit, e164)
    except NumberNotRented:
        return None


async def page(request: Request, e164: str, form: Form = EMPTY, refusal: Refusal | None = None) -> Response[Any]:
    """Render the page of a number, with a refused form if there is one."""
    before, asked = position(request), digits(request.query_params.get("rental", ""))

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        over = ended.of_number(tx, visit.account_id, e164, now_us=visit.now_us) if is_e164(e164) else []
        live = _live_or_none(tx, visit, e164)
        rental = _shown(tx, visit, live, over, asked) if live or over else None
        if rental is None or rental["e164"] != e164:
            raise NumberNotRented
        return {
            "rental": _masked(rental),
            "template": body_templates.split(rental["destination"] or "")[1] or "",
            "templates": {name: body_templates.template(name) for name in body_templates.NAMES},
            "is_over": rental["ended_at_us"] is not None,
            "live": live is not None,
            "earlier": [other for other in over if other["id"] != rental["id"]],
            "group": numbers.names(tx, [rental["group_id"]])[rental["group_id"]],
            "messages": page_of(conversations.conversation(tx, rental["id"], before=before, limit=PAGE + 1)),
            "cost": rental_cost(tx, rental, now_us=visit.now_us),
            "left": limits.left(rental, now_us=visit.now_us),
            "segment_cost": numbers.cost_per_segment(tx, "+"),
        }

    more = views.refused(form, refusal)
    return await views.render_page(
        request,
        "number.html",
        gather,
        status=views.status_of(refusal),
        nav="numbers",
        retention_us=runtime_of(request).settings.retention_us,
        **more,
    )


ROUTES = [get_number, post_send, post_action, get_end, post_end]
