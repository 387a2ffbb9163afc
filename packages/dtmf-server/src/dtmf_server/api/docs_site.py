"""`/docs`: the documentation that `make docs` built into this package, or a page that says how to build it.

Only files that were there when the process first looked are served, by their exact names. Pages are revalidated at each
visit; a file whose address has a checksum (`?v=…`) stays in the browser's cache.
"""

import gzip
import hashlib
import html
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from dtmf_server.api.error_catalog import ERRORS
from dtmf_server.http.request import Request

FOLDER = Path(__file__).parent.parent / "site"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
ERRORS_PAGE = "reference/errors"

_INLINE = re.compile(rb"<(script|style)>(.*?)</\1>", re.DOTALL)
_STYLE_ATTRIBUTE = re.compile(rb"<[a-z][^<>]*? style=\"([^\"]*)\"")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"


@dataclass(frozen=True, slots=True)
class File:
    """A file of the site, as it is sent."""

    body: bytes
    zipped: bytes
    etag: str
    media_type: str
    policy: str


@lru_cache(maxsize=1)
def paths() -> dict[str, Path]:
    """The files of the built site by their addresses below `/docs/`; empty if it isn't built."""
    found = (path for path in FOLDER.rglob("*") if path.is_file() and path.suffix in TYPES)
    return {path.relative_to(FOLDER).as_posix(): path for path in found}


@lru_cache(maxsize=256)
def load(path: Path) -> File:
    """The file at this path, read once."""
    body = path.read_bytes()
    policy = content_security_policy(body) if path.suffix == ".html" else _NOTHING
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return File(body, gzip.compress(body, 6, mtime=0), etag, TYPES[path.suffix], policy)


def content_security_policy(page: bytes) -> str:
    """A policy that allows the site's own files and what the page contains inline, by its hashes, and nothing else."""
    scripts = sorted({_hash(text) for kind, text in _INLINE.findall(page) if kind == b"script"})
    styles = sorted({_hash(text) for kind, text in _INLINE.findall(page) if kind == b"style"})
    attributes = sorted({_hash(html.unescape(text.decode()).encode()) for text in _STYLE_ATTRIBUTE.findall(page)})
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *scripts]),
            " ".join(["style-src 'self'", *styles, *(["'unsafe-hashes'", *attributes] if attributes else [])]),
            "img-src 'self' data:",  # data: are the icons in Furo's style sheet
            "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ]
    )


def _hash(text: bytes) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text).digest()).decode()}'"


@get("/docs", include_in_schema=False)
async def get_docs() -> Response[Any]:
    """The first page of the documentation."""
    if "index.html" in paths():
        return _redirect("/docs/index.html")
    return _not_built(200)


@get("/docs/{path:path}", include_in_schema=False)
async def get_docs_file(request: Request, path: FromPath[PurePosixPath]) -> Response[Any]:
    """A file of the documentation. `.html` may be left out."""
    name = str(path).removeprefix("/")
    found = paths().get(name) or paths().get(f"{name}.html")
    if found is not None:
        return _answer(request, load(found))
    if f"{name}/index.html" in paths():
        return _redirect(f"/docs/{name}/index.html")
    if not paths():
        return _page("Errors", _errors(), 200) if name.removesuffix(".html") == ERRORS_PAGE else _not_built(404)
    if "text/html" in request.headers.get("accept", ""):
        link = '<a href="/docs/index.html">Go to the first page</a>'
        return _page("Page not found", f"<p>The documentation has no page at this address. {link}.</p>", 404)
    raise NotFoundException


def _answer(request: Request, file: File) -> Response[Any]:
    versioned = "v" in request.query_params
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if versioned else "no-cache",
        "Content-Security-Policy": file.policy,
        "ETag": file.etag,
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    asked = request.headers.get("if-none-match", "")
    if asked == "*" or file.etag in (each.strip().removeprefix("W/") for each in asked.split(",")):
        return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return Response(file.zipped if zipped else file.body, media_type=file.media_type, headers=headers)


def _redirect(to: str) -> Response[bytes]:
    return Response(b"", status_code=303, headers={"Location": to}, media_type="text/html")


def _not_built(status: int) -> Response[bytes]:
    text = (
        "<p>The documentation isn't part of this installation. In the source tree, <code>make docs</code> builds it, and"
        " the service has it after a restart.</p><ul>"
        '<li><a href="/docs/api">API reference</a></li>'
        f'<li><a href="/docs/{ERRORS_PAGE}">Errors</a></li>'
        '<li><a href="/schema/openapi.json">OpenAPI document</a></li></ul>'
    )
    return _page("Documentation", text, status)


def _errors() -> str:
    """The error catalog, for an installation without the built documentation."""
    return "".join(
        f'<h2 id="{code}">{code}</h2><p>{entry.status} {html.escape(entry.title)}. {_shown(entry.meaning)}</p>'
        f"<p><strong>Fix:</strong> {_shown(entry.fix)}</p>"
        for code, entry in ERRORS.items()
    )


def _shown(text: str) -> str:
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(_LINK.sub(r"\1", text), quote=False))


def _page(title: str, content: str, status: int) -> Response[bytes]:
    style = (
        ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
        "body{max-width:50rem;margin:2rem auto;padding:0 1rem}"
    )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} · DTMF</title><style>{style}</style><h1>{title}</h1>{content}"
    ).encode()
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": content_security_policy(page),
        "X-Content-Type-Options": "nosniff",
    }
    return Response(page, status_code=status, media_type="text/html", headers=headers)


ROUTES = [get_docs, get_docs_file]
