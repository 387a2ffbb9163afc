"""A browser without JavaScript: keeps cookies, submits forms as shown, parses pages."""

from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from types import TracebackType
from urllib.parse import urlsplit

import httpx2

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Form:
    """A form: its action, current field values and buttons."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._form: Form | None = None
        self._area: str | None = None
        self._select: str | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        name = given.get("name", "")
        if tag in ("script", "style", "head"):
            self._silent += 1
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get"))
            self.forms.append(self._form)
        elif self._form is not None and tag == "input" and name:
            if given.get("type") not in ("radio", "checkbox") or "checked" in given:
                self._form.fields[name] = given.get("value", "on")
        elif tag == "textarea" and self._form is not None:
            self._area = name
            self._form.fields[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._form is not None and self._select is not None:
            self._option = "selected" in given or self._select not in self._form.fields
            if self._option and "value" in given:
                self._form.fields[self._select] = given["value"]
                self._option = False

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "head"):
            self._silent -= 1
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._form is not None and self._area is not None:
            self._form.fields[self._area] += data
        if self._form is not None and self._select is not None and data.strip() and self._option:
            self._form.fields[self._select] = data.strip()
            self._option = False
        if not self._silent:
            self.text.append(data)


class Page:
    """A response, parsed as a page."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.html = response.text
        self.path = urlsplit(str(response.url)).path

    @cached_property
    def _parsed(self) -> _Reader:
        """Parse the page when its contents are first used: it takes longer than the request."""
        reader = _Reader()
        if "html" in self.headers.get("content-type", ""):
            reader.feed(self.html)
        return reader

    @property
    def forms(self) -> list[Form]:
        return self._parsed.forms

    @property
    def tags(self) -> list[tuple[str, dict[str, str]]]:
        return self._parsed.tags

    @cached_property
    def text(self) -> str:
        return " ".join(" ".join(self._parsed.text).split())

    def form(self, action: str) -> Form:
        """Return the form with this action that changes something, or else the only one."""
        found = [form for form in self.forms if form.action == action]
        found = [form for form in found if form.method == "post"] or found
        assert found, f"no form to {action} among {[form.action for form in self.forms]}: {self.text[:300]}"
        return found[0]

    def error_at(self, name: str) -> str:
        """Return the error at this field."""
        marked = any(given.get("aria-describedby") == f"{name}-error" for _, given in self.tags)
        _, found, rest = self.html.partition(f'id="{name}-error">')
        return rest.partition("</p>")[0] if found and marked else ""


class Visitor:
    """A visitor with a browser."""

    def __init__(self, url: str) -> None:
        self.url = url
        accept = {"Accept": "text/html,*/*;q=0.8"}
        # Plain HTTP: nothing to verify, and reading the system's certificates takes 30 ms.
        self.client = httpx2.Client(base_url=url, timeout=30, headers=accept, verify=False)

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.client.close()

    def open(self, path: str, **headers: str) -> Page:
        """Open a page, following redirects."""
        return Page(self.client.get(path, headers=headers, follow_redirects=True))

    def look(self, path: str, **headers: str) -> Page:
        """Send a request without following redirects."""
        return Page(self.client.get(path, headers=headers))

    def send(self, page: Page, action: str, /, *, follow: bool = True, **fields: str) -> Page:
        """Fill in a form of a page and submit it."""
        return self.post(action, {**page.form(action).fields, **fields}, follow=follow)

    def post(self, action: str, fields: dict[str, str], *, follow: bool = True, **headers: str) -> Page:
        """Submit these fields, as if from a page of this site."""
        given = {"Origin": self.url, **headers}
        return Page(self.client.post(action, data=fields, headers=given, follow_redirects=follow))

    def sign_in(self, token: str) -> Page:
        """Sign in with a token."""
        return self.send(self.open("/sign-in"), "/sign-in", token=token)

    def do(self, path: str, action: str, /, **fields: str) -> Page:
        """Open a page, fill in one of its forms and submit it."""
        return self.send(self.open(path), action, **fields)
