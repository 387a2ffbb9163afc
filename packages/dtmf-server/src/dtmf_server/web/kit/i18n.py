"""The website's texts, through gettext: in English now, and ready for a catalog.

`python -m dtmf_server.web.kit.i18n` writes a .pot of every text to standard output."""

import ast
import gettext
import sys
from collections.abc import Iterator
from pathlib import Path

_HERE = Path(__file__).parent

catalog = gettext.translation("dtmf", localedir=_HERE / "locale", fallback=True)


def _(message: str) -> str:
    """The text in the reader's language."""
    return catalog.gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """The form of the text that goes with this count."""
    return catalog.ngettext(singular, plural, count)


def texts() -> Iterator[tuple[str, int, str, str | None]]:
    """Every text: file, line, the text and its plural."""
    from dtmf_server.web.kit.templating import environment  # noqa: PLC0415 - the templates need `_` first

    for path in sorted(_HERE.parent.rglob("*.html")):
        for line, function, found in environment.extract_translations(  # type: ignore[attr-defined]  # the extension adds it
            path.read_text(encoding="utf-8")
        ):
            both = found if isinstance(found, tuple) else (found,)
            plural = both[1] if function == "ngettext" else None
            if both[0]:
                yield path.name, line, both[0], plural
    for path in sorted(_HERE.parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in ("_", "ngettext"):
                literal = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                if literal:
                    yield path.name, node.lineno, literal[0], literal[1] if name == "ngettext" else None


def pot() -> str:
    """The template of a catalog: each text once, with where it is used."""
    used: dict[tuple[str, str | None], list[str]] = {}
    for file, line, text, plural in texts():
        used.setdefault((text, plural), []).append(f"{file}:{line}")
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    return "\n".join([head, *(_entry(text, plural, where) for (text, plural), where in used.items())])


def _entry(text: str, plural: str | None, where: list[str]) -> str:
    lines = [f"#: {' '.join(where)}", "#, python-format", f"msgid {_quoted(text)}"]
    if plural is None:
        return "\n".join([*lines, 'msgstr ""', ""])
    return "\n".join([*lines, f"msgid_plural {_quoted(plural)}", 'msgstr[0] ""', 'msgstr[1] ""', ""])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


if __name__ == "__main__":
    sys.stdout.write(pot())
