"""`/docs/api`: the OpenAPI document as a page without scripts."""

import html
from typing import Any

from litestar import MediaType, Response, get

from dtmf_server.api.openapi import document as openapi_document
from dtmf_server.http.request import Request

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent) }
h3 { margin: 1.8rem 0 .3rem; font: 600 1rem ui-monospace, monospace }
p { margin: .3rem 0 } table { border-collapse: collapse; margin: .5rem 0; width: 100% }
td { padding: .2rem .8rem .2rem 0; vertical-align: top } td:first-child { white-space: nowrap }
code { font: .92em ui-monospace, monospace } a { color: inherit }
"""


@get("/docs/api", media_type=MediaType.HTML, include_in_schema=False)
async def get_api_page(request: Request) -> Response[str]:
    """Show all requests with their parameters and responses."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
    return Response(
        _page(openapi_document(request.app)), media_type="text/html", headers={"Content-Security-Policy": policy}
    )


def _page(document: dict[str, Any]) -> str:
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(path, method, operation, document))
    sections = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(parts)}" for tag, parts in by_tag.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>DTMF API</title><style>{_STYLE}</style><h1>DTMF API</h1>"
        f"<p>{html.escape(document['info']['description'])}</p>"
        '<p><a href="/docs">Documentation</a> · <a href="/docs/reference/errors">Errors</a></p>'
        "<p>Send <code>Authorization: Bearer &lt;token&gt;</code> with every request. The OpenAPI document is at "
        '<a href="/schema/openapi.json">/schema/openapi.json</a>.</p>' + sections
    )


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    rows = [
        (parameter["name"], _kind(parameter["schema"], document), parameter.get("description", ""))
        for parameter in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    body = _resolved(body, document)
    required = body.get("required", [])
    for name, schema in body.get("properties", {}).items():
        rows.append((name, _kind(schema, document), "" if name in required else "optional"))
    answers = [
        f"<code>{status}</code> {_answer(answer, document)}"
        for status, answer in operation["responses"].items()
        if status.startswith("2") or _has_its_own_form(answer)
    ]
    table = "".join(
        f"<tr><td><code>{html.escape(name)}</code><td>{kind}<td>{html.escape(about)}" for name, kind, about in rows
    )
    return (
        f"<h3>{method.upper()} {html.escape(path)}</h3><p>{html.escape(operation.get('description', ''))}</p>"
        + (f"<table>{table}</table>" if table else "")
        + f"<p>returns {' or '.join(answers)}</p>"
    )


def _has_its_own_form(answer: dict[str, Any]) -> bool:
    """Return True if an error response has other fields than all have."""
    schemas = [content.get("schema", {}).get("$ref", "") for content in answer.get("content", {}).values()]
    return any(schema and not schema.endswith("/Problem") for schema in schemas)


def _answer(answer: dict[str, Any], document: dict[str, Any]) -> str:
    content = next(iter(answer.get("content", {}).values()), None)
    return _kind(content["schema"], document) if content and content.get("schema") else "nothing"


def _kind(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """Describe a schema briefly."""
    if "$ref" in schema:
        fields = _resolved(schema, document).get("properties")
        if fields is None:
            return _kind(_resolved(schema, document), document)
        return f"<code>{{{', '.join(html.escape(field) for field in fields)}}}</code>"
    if schema.get("type") == "array":
        return "a list of " + _kind(schema["items"], document)
    if "enum" in schema:
        return " or ".join(f"<code>{html.escape(str(value))}</code>" for value in schema["enum"])
    options = schema.get("oneOf") or schema.get("anyOf")
    if options:
        return " or ".join(_kind(option, document) for option in options)
    kind = schema.get("type", "anything")
    return html.escape(" or ".join(kind) if isinstance(kind, list) else str(kind))


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Resolve a reference."""
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found


ROUTES = [get_api_page]
