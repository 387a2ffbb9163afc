"""The built documentation needs nothing from elsewhere, its links lead somewhere, and the service serves it safely."""

import asyncio
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from litestar import Litestar

from dtmf_server.api import docs_page, docs_site
from dtmf_server.api.error_catalog import ERRORS, problem_type

LOADING = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href")}
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Page(HTMLParser):
    """The files that a page loads, its links and anchors, and its inline event handlers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads, self.links, self.ids, self.handlers = list[str](), list[str](), set[str](), list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.loads += [value for name, value in given.items() if (tag, name) in LOADING]
        self.links += [value for name, value in given.items() if (tag, name) == ("a", "href")]
        self.ids |= {value for name, value in given.items() if name == "id"}
        self.handlers += [name for name in given if name.startswith("on")]


@pytest.fixture(scope="session")
def parsed(site: Path) -> dict[str, Page]:
    """Every page by its address."""
    return {path.relative_to(site).as_posix(): Page(path.read_text("utf-8")) for path in site.rglob("*.html")}


def test_no_page_style_or_script_loads_anything_from_another_host(site: Path, parsed: dict[str, Page]) -> None:
    assert "quickstart.html" in parsed
    foreign = [(name, url) for name, page in parsed.items() for url in page.loads if urlsplit(url).netloc]
    styles = [
        (path.name, url)
        for path in site.rglob("*.css")
        for url in re.findall(r"url\(['\"]?(\w+:[^'\")]+)", path.read_text())
    ]
    assert foreign == []
    assert [(name, url[:40]) for name, url in styles if not url.startswith("data:")] == []
    assert not [path.name for path in site.rglob("*.css") if "@import" in path.read_text("utf-8")]


def test_every_link_and_anchor_of_the_site_exists(site: Path, parsed: dict[str, Page]) -> None:
    broken = []
    for name, page in parsed.items():
        for target in [*page.links, *page.loads]:
            parts = urlsplit(urljoin(f"http://site/{name}", target))
            path = unquote(parts.path).removeprefix("/")
            if parts.netloc != "site" or not path:
                continue
            if not (site / path).is_file() or (
                parts.fragment and path in parsed and parts.fragment not in parsed[path].ids
            ):
                broken.append((name, target))
    assert broken == []


def test_the_site_has_every_error_code_by_its_anchor_and_a_search(parsed: dict[str, Page]) -> None:
    assert parsed["reference/errors.html"].ids >= set(ERRORS)
    assert "search.html" in parsed


# --- as the service serves it -----------------------------------------------------------------------------------------


@pytest.fixture
def app(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Litestar]:
    """The routes of the documentation, over the built site."""
    monkeypatch.setattr(docs_site, "FOLDER", site)
    docs_site.paths.cache_clear()
    yield Litestar(route_handlers=[*docs_page.ROUTES, *docs_site.ROUTES], openapi_config=None)
    docs_site.paths.cache_clear()


def ask(app: Litestar, path: str, query: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a GET."""
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "root_path": "",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]  # plain ASGI
    found = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(each.get("body", b"") for each in sent[1:])


def test_pages_are_served_with_or_without_their_ending(app: Litestar, site: Path) -> None:
    assert ask(app, "/docs")[:2][1]["location"] == "/docs/index.html"
    assert ask(app, "/docs/guides")[1]["location"] == "/docs/guides/index.html"
    for path in ("/docs/reference/errors", "/docs/reference/errors.html"):
        status, headers, body = ask(app, path)
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert body == (site / "reference" / "errors.html").read_bytes()


def test_an_unknown_page_is_a_page_in_a_browser_and_a_problem_for_a_program(app: Litestar) -> None:
    status, headers, body = ask(app, "/docs/nothing", accept="text/html,*/*;q=0.8")
    assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert b'<a href="/docs/index.html">' in body
    status, headers, _ = ask(app, "/docs/nothing", accept="*/*")
    assert (status, "text/html" in headers["content-type"]) == (404, False)


def test_a_page_is_revalidated_and_a_versioned_file_stays_in_the_cache(app: Litestar) -> None:
    _, headers, body = ask(app, "/docs/quickstart.html")
    assert headers["cache-control"] == "no-cache"
    assert ask(app, "/docs/quickstart.html", if_none_match=headers["etag"])[::2] == (304, b"")
    assert ask(app, "/docs/quickstart.html", if_none_match='"another"')[2] == body
    assert "immutable" in ask(app, "/docs/_static/doctools.js", "v=fd6eb6e6")[1]["cache-control"]
    zipped = ask(app, "/docs/quickstart.html", accept_encoding="gzip")
    assert zipped[1]["content-encoding"] == "gzip"
    assert len(zipped[2]) < len(body)


def test_the_policy_of_a_page_allows_its_own_inline_code_by_hash_and_no_other(app: Litestar) -> None:
    status, headers, body = ask(app, "/docs/search.html")
    policy = headers["content-security-policy"]
    assert status == 200
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy and "unsafe-eval" not in policy and "http" not in policy
    inline = re.findall(r"<script>(.*?)</script>", body.decode(), re.DOTALL)
    assert inline and len(re.findall(r"script-src 'self'((?: 'sha256-[^']+')+)", policy)[0].split()) == len(set(inline))
    assert docs_site.content_security_policy(b"<script>a</script>") != docs_site.content_security_policy(
        b"<script>b</script>"
    )


def test_no_page_has_inline_code_that_a_policy_can_not_allow(parsed: dict[str, Page]) -> None:
    assert [(name, page.handlers) for name, page in parsed.items() if page.handlers] == []


@pytest.mark.parametrize(
    "path",
    [
        "/docs/../pyproject.toml",
        "/docs/%2e%2e/%2e%2e/core/errors.py",
        "/docs/..%2f..%2fcore/errors.py",
        "/docs//etc/passwd",
        "/docs/reference/../../__init__.py",
        "/docs/conf.py",
        "/docs/objects.inv",
        "/docs/none",
        "/docs/index.html%00.css",
    ],
)
def test_nothing_but_the_files_of_the_site_is_served(app: Litestar, path: str) -> None:
    assert ask(app, path)[0] in (404, 405)


@pytest.fixture
def nothing_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(docs_site, "FOLDER", tmp_path / "none")
    docs_site.paths.cache_clear()
    yield
    docs_site.paths.cache_clear()


def fetch(url: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, media type and text; follows redirects."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get_content_type(), error.read().decode()


@ONE_ENGINE
@pytest.mark.usefixtures("nothing_built")
def test_a_service_without_the_built_site_says_how_to_build_it(url: str) -> None:
    status, kind, text = fetch(f"{url}/docs")
    assert (status, kind) == (200, "text/html")
    assert "make docs" in text and "/docs/api" in text
    assert fetch(f"{url}/docs/quickstart.html")[0] == 404
    assert fetch(f"{url}/docs", "HEAD")[::2] == (200, "")
    assert fetch(f"{url}/docs/api")[0] == 200


@ONE_ENGINE
@pytest.mark.parametrize("built", [True, False])
def test_the_type_of_every_problem_leads_to_its_description(
    url: str, built: bool, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("app" if built else "nothing_built")
    problem = fetch(f"{url}/api/v1/none")[2]
    assert f'"type":"{problem_type("not_found")}"' in problem
    status, _, text = fetch(urljoin(url, problem_type("not_found")).partition("#")[0])
    assert status == 200
    assert Page(text).ids >= set(ERRORS)
    assert fetch(f"{url}/docs/reference/errors", "HEAD")[::2] == (200, "")
