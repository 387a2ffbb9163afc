"""`/static/…`: stylesheet, script and icon. URLs contain a content hash, so browsers cache them permanently."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from dtmf_server.http.request import Request

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _File:
    digest: str
    media_type: str
    body: bytes
    zipped: bytes


def _load(path: Path) -> _File:
    body = path.read_bytes()
    return _File(hashlib.sha256(body).hexdigest()[:16], _TYPES[path.suffix], body, gzip.compress(body, 9, mtime=0))


FILES = {path.name: _load(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}


def address(name: str) -> str:
    """Return the URL of a file."""
    return f"/static/{FILES[name].digest}/{name}"


@get("/static/{digest:str}/{name:str}")
async def get_static(request: Request, digest: FromPath[str], name: FromPath[str]) -> Response[Any]:
    """Serve a file; 404 if its content hash is outdated."""
    file = FILES.get(name)
    if file is None or file.digest != digest:
        raise NotFoundException
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    headers["Vary"] = "Accept-Encoding"
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return Response(file.zipped if zipped else file.body, media_type=file.media_type, headers=headers)


ROUTES = [get_static]
