"""All texts go through gettext, so a translation needs only a catalog."""

import re
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po

from dtmf_server import web
from support.paths import ROOT

WEB = Path(web.__file__).parent


def extracted(tmp_path: Path) -> Catalog:
    """Return the texts that `make messages` extracts."""
    pot = tmp_path / "dtmf.pot"
    command = ["pybabel", "--quiet", "extract", f"--mapping-file={ROOT / 'pyproject.toml'}", f"--output-file={pot}"]
    CommandLineInterface().run([*command, str(WEB)])
    with pot.open("rb") as file:
        return read_po(file)


def test_a_pot_has_every_text_of_pages_and_code(tmp_path: Path) -> None:
    catalog = extracted(tmp_path)
    texts = {message.id for message in catalog}
    assert {"Rent a number", "Page not found", ("%d day", "%d days")} <= texts
    assert not [text for text in texts if str(text).startswith(("Once", "No account has"))]
    files = {Path(file).name for message in catalog for file, _ in message.locations}
    assert {"sign_in.html", "filters.py", "base.html", "macros.html", "number.py"} <= files


CODE = r"{#.*?#}|{%.*?%}|{{.*?}}|<pre.*?</pre>|<div class=\"sample.*?</div>\n</section>"
NOT_WORDS = ("dtmf", "sats", "JSON", "CSV", "UTC", "ms", "aria-.*", "dtmf-server [\\w -]+")


def test_templates_have_no_text_outside_gettext() -> None:
    said = []
    for path in sorted(WEB.glob("*/templates/*.html")):
        text = re.sub(r"<svg.*?</svg>|<[^>]*>", "\n", re.sub(CODE, "", path.read_text(), flags=re.S), flags=re.S)
        said += [f"{path.name}: {line.strip()}" for line in text.splitlines() if re.search(r"[A-Za-z]{3,}", line)]
    assert said, "nothing was looked at"
    allowed = "|".join(NOT_WORDS)
    assert [line for line in said if not re.fullmatch(rf"[\w.]+: \W*({allowed})?\W*", line)] == []
