"""The documentation in a browser, under the service's policy: search, the dark mode and the anchors of errors work."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from dtmf_server.api import docs_site
from support.site import site

from .conftest import Open

__all__ = ["site"]


@pytest.fixture
def built(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The service has the built site."""
    monkeypatch.setattr(docs_site, "FOLDER", site)
    docs_site.paths.cache_clear()
    yield
    docs_site.paths.cache_clear()


@pytest.mark.usefixtures("built")
def test_a_reader_searches_reads_and_switches_to_the_dark_mode(opened: Open) -> None:
    page = opened(color_scheme="light")
    page.goto("/docs")
    page.get_by_role("searchbox", name="Search").or_(page.get_by_placeholder("Search")).first.fill("insufficient_funds")
    page.keyboard.press("Enter")
    result = page.locator(".search a", has_text="Errors").first
    expect(result).to_be_visible()
    result.click()
    expect(page.locator("h1")).to_contain_text("Errors")
    body = page.locator("body")
    expect(body).to_have_css("background-color", "rgb(255, 255, 255)")
    page.locator("button.theme-toggle:visible").first.click()
    expect(body).to_have_attribute("data-theme", "dark")
    expect(body).not_to_have_css("background-color", "rgb(255, 255, 255)")


@pytest.mark.usefixtures("built")
def test_the_type_of_a_problem_opens_at_its_code(opened: Open) -> None:
    page = opened()
    page.goto("/docs/reference/errors#insufficient_funds")
    expect(page.get_by_role("heading", name="insufficient_funds")).to_be_in_viewport()
