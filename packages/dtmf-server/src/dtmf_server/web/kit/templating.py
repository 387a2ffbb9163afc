"""Render Jinja templates: autoescaped, undefined names are errors, with security headers on every page."""

import gzip
import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import jinja2
import segno
from litestar import Response
from markupsafe import Markup

import dtmf_server
from dtmf_server.core.body_templates import masked
from dtmf_server.core.money import topup_url
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.runtime.logging import request_id
from dtmf_server.web.kit import drafts, filters, i18n, static, untrusted_text
from dtmf_server.web.kit.csrf import csrf_token
from dtmf_server.web.kit.forms import EMPTY, NO_ERROR
from dtmf_server.web.kit.request import own_origin

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers would send forms with `Origin: null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
    "Vary": "Accept-Encoding",
}
_ZIP_FROM_BYTES = 800


@lru_cache(maxsize=2048)
def _code(text: str) -> str | None:
    """Return the one-time code in a message; None if it has none."""
    from dtmf.codes import find_code  # noqa: PLC0415  # loading its word lists takes a fifth of startup time

    return find_code(text)


environment = jinja2.Environment(
    loader=jinja2.ChoiceLoader(
        [
            jinja2.PackageLoader("dtmf_server.web.kit"),
            jinja2.PackageLoader("dtmf_server.web.renter"),
            jinja2.PrefixLoader({"operator": jinja2.PackageLoader("dtmf_server.web.operator")}),
        ]
    ),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
    extensions=["jinja2.ext.i18n"],
)
environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
    i18n.catalog.gettext, i18n.catalog.ngettext, newstyle=True
)
environment.filters |= {
    "sats": filters.sats,
    "signed": filters.signed,
    "iso": filters.iso,
    "timestamp": filters.timestamp,
    "short_time": filters.short_time,
    "duration": filters.duration,
    "humanize_duration": filters.humanize_duration,
    "transfer_label": filters.transfer_label,
    "render_untrusted": untrusted_text.render_untrusted,
    "fragments": untrusted_text.fragments,
    "code": _code,
    "masked": masked,
}
environment.globals |= {
    "static": static.address,
    "version": dtmf_server.__version__,
    "form": EMPTY,
    "form_error": NO_ERROR,
    "nav": "",
    "sandbox": False,
    "ahead_us": 0,
    "draft": None,
    "ended": False,
    "flash": "",
    "new_key": lambda: secrets.token_urlsafe(16),
}


def warm_up() -> None:
    """Load what rendering a message needs, so that the first one on an open page isn't delayed."""
    _code("")
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)


def fragment(template: str, **context: Any) -> str:
    """Render part of a page."""
    return environment.get_template(template).render(context)


def page(
    request: Request, template: str, context: Mapping[str, Any], *, status: int = 200, cookie: str | None
) -> Response[Any]:
    """Render a whole page. `cookie` keys the CSRF tokens of its forms."""
    settings = runtime_of(request).settings
    text = environment.get_template(template).render(
        sandbox=settings.sandbox,
        faucet=settings.sandbox and settings.network == "simulated",
        signup_open=settings.sandbox or settings.signup == "open",
        origin=own_origin(request),
        path=request.url.path,
        top_up=lambda amount_sats: top_up_address(request, amount_sats),
        csrf_token=lambda: csrf_token(cookie) if cookie else "",
        **context,
    )
    return html(text, status=status, zipped="gzip" in request.headers.get("accept-encoding", ""))


def html(text: str, *, status: int = 200, zipped: bool = False) -> Response[Any]:
    """Build an HTML response with security headers."""
    body, headers = text.encode("utf-8", "replace"), dict(HEADERS)
    if zipped and len(body) >= _ZIP_FROM_BYTES:
        body = gzip.compress(body, 5, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status_code=status, media_type="text/html", headers=headers)


def plain_page(status: int, title: str, text: str, *, link: tuple[str, str]) -> str:
    """Render an error page without a session, database or request."""
    return environment.get_template("error.html").render(
        status=status, title=title, text=text, link=link, request_id=request_id.get() or "", visit=None
    )


def redirect(address: str) -> Response[Any]:
    """Build a 303 redirect."""
    headers = {name: HEADERS[name] for name in ("Cache-Control", "Referrer-Policy", "X-Content-Type-Options")}
    return Response(b"", status_code=303, media_type="text/plain", headers={**headers, "Location": address})


def top_up_address(request: Request, amount_sats: int) -> str:
    """Return the address that tops up exactly this amount and returns to this page, or to the one that a form was on."""
    path, query = request.url.path, request.url.query
    page = (f"{path}?{query}" if query else path) if request.method in ("GET", "HEAD") else drafts.page_for(path)
    back = f"&return={quote(page, safe='/')}" if drafts.safe(page) and not page.startswith("/top-up") else ""
    return f"{topup_url(amount_sats)}{back}"


def qr(text: str, error: str = "m") -> Markup:
    """Render a QR code as SVG that scales to its container. `error`: the level of error correction, l or m."""
    code = segno.make(text, error=error)
    drawing = code.svg_inline(border=2, omitsize=True, svgclass="qr", lineclass=None, dark="#000", light="#fff")
    return Markup(drawing)  # noqa: S704 - generated by segno, contains no input text


environment.globals["qr"] = qr
