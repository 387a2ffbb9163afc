"""Every text goes through gettext, so that a translation needs nothing but a catalog."""

import re
from pathlib import Path

from dtmf_server.web.kit import i18n

WEB = Path(i18n.__file__).parent


def test_a_pot_has_every_text_of_pages_and_code() -> None:
    pot = i18n.pot()
    for text in ("Rent a number", "No account has", "%d day", "There is no such page", "Once"):
        assert (f'msgid "{text}' in pot) is (text not in ("Once", "No account has")), text
    assert 'msgid_plural "%d days"' in pot
    assert "sign_in.html:" in pot and "filters.py:" in pot


CODE = r"{#.*?#}|{%.*?%}|{{.*?}}|<pre.*?</pre>|<div class=\"sample.*?</div>\n</section>"
NOT_WORDS = ("dtmf", "sats", "JSON", "CSV", "UTC", "ms", "aria-.*")


def test_no_template_says_anything_past_gettext() -> None:
    said = []
    for path in sorted((WEB / "templates").glob("*.html")):
        text = re.sub(r"<svg.*?</svg>|<[^>]*>", "\n", re.sub(CODE, "", path.read_text(), flags=re.S), flags=re.S)
        said += [f"{path.name}: {line.strip()}" for line in text.splitlines() if re.search(r"[A-Za-z]{3,}", line)]
    assert said, "nothing was looked at"
    allowed = "|".join(NOT_WORDS)
    assert [line for line in said if not re.fullmatch(rf"[\w.]+: \W*({allowed})?\W*", line)] == []
