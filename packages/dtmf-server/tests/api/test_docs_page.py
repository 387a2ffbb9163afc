"""`/docs/api`, the API's page for people."""

import json
import re
from html.parser import HTMLParser
from typing import Any

from support.connection import Connection

from .operations import ONE_ENGINE


class _Page(HTMLParser):
    """Elements and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@ONE_ENGINE
def test_the_page_of_the_api_shows_every_operation_and_needs_no_script(
    connection: Connection, document: dict[str, Any]
) -> None:
    reply = connection.ask("GET", "/docs/api")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    page = _Page()
    page.feed(reply.body.decode())
    assert not page.tags & {"script", "iframe", "object", "embed", "link", "img", "form"}
    assert not [name for name in page.attributes if name.startswith("on") or name in ("style", "src")]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in page.text
            assert operation["description"] in page.text
            assert all(each["name"] in page.text for each in operation.get("parameters", []))
            for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(operation)):
                fields = document["components"]["schemas"][name].get("properties", {})
                assert all(field in page.text for field in fields), name
