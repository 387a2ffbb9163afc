"""Generate the pages of docs/reference/ that describe the code, from the code.

    python tools/reference.py            write the pages
    python tools/reference.py --check    print which pages differ; exit status 1 if any does

`make reference` runs it. tests/docs/test_reference.py fails when a page differs.
"""

import argparse
import contextlib
import importlib
import inspect
import io
import json
import os
import pkgutil
import re
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

import dtmf
import dtmf_server
from dtmf import AsyncDTMF, client, codes, errors, sandbox, types, webhook
from dtmf.cli import commands
from dtmf.cli import main as dtmf_command
from dtmf_server.api.error_catalog import ERRORS, example
from dtmf_server.api.openapi import document
from dtmf_server.api.schemas.event import Event, Kind
from dtmf_server.asgi.app import _routes
from dtmf_server.carriers.registry import BUILT_IN, find
from dtmf_server.cli.main import _parser
from dtmf_server.config.carrier import CarrierSettings
from dtmf_server.config.lightning import LightningSettings
from dtmf_server.config.meanings import MEANINGS
from dtmf_server.config.schema import Config
from dtmf_server.config.section import Section, description, extra, fields, is_section, item_type
from dtmf_server.core.errors import Refusal
from dtmf_server.payments.lightning import registry as lightning

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE = "<!-- Generated from the code by tools/reference.py: change the code, then run `make reference`. -->"

Json = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="print which pages differ, and write nothing")
    is_check = parser.parse_args(arguments).check
    made = pages()
    different = [name for name, text in made.items() if not _same(FOLDER / name, text)]
    for name in different:
        if is_check:
            print(f"docs/reference/{name} differs from the code: make reference")
        else:
            (FOLDER / name).write_text(made[name], "utf-8")
            print(f"wrote docs/reference/{name}")
    return 1 if is_check and different else 0


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def pages() -> dict[str, str]:
    """The text of every generated page, by its name."""
    makers: dict[str, Callable[[], Iterator[str]]] = {
        "client.md": client_page,
        "endpoints.md": endpoints_page,
        "commands.md": commands_page,
        "settings.md": settings_page,
        "events.md": events_page,
        "errors.md": errors_page,
    }
    return {name: "\n".join(make()).rstrip() + "\n" for name, make in makers.items()}


def _head(title: str, *, reader: str, result: str) -> Iterator[str]:
    yield from (f"# {title}", "", f"**For:** {reader}\\", f"**Afterwards you can:** {result}", "", NOTE, "")


def _cell(text: object) -> str:
    """The text in a cell of a table, on one line."""
    return " ".join(str(text).split()).replace("|", "\\|")


def _quoted(text: str) -> str:
    """A docstring as Markdown: its examples in a fence, and its paragraphs as they are."""
    lines, shown, is_code = inspect.cleandoc(text).splitlines(), [], False
    for line in lines:
        starts = line.startswith((">>> ", "... "))
        if starts != is_code and (starts or not line):
            shown.append("```text" if starts else "```")
            is_code = starts
        shown.append(re.sub(r"^(\w+): ", r"- `\1`: ", line) if not is_code else line)
    return "\n".join([*shown, "```"] if is_code else shown)


# --- the client -----------------------------------------------------------------------------------------------------


def client_page() -> Iterator[str]:
    """Every public method of the client, its exceptions, and the two functions beside it."""
    yield from _head(
        "Client", reader="Python developers.", result="call every method of `DTMF`, and handle every exception."
    )
    yield "Install it with `pip install dtmf-io`, import it with `from dtmf import DTMF`. `AsyncDTMF` has the same methods"
    yield "to be awaited; those that return an iterator return an asynchronous iterator."
    yield ""
    yield from _class(client.DTMF, "DTMF")
    yield from _class(sandbox.Sandbox, "DTMF.sandbox")
    yield "## AsyncDTMF"
    yield ""
    yield _quoted(AsyncDTMF.__doc__ or "")
    yield ""
    yield "## Functions"
    yield ""
    for name, function in (("dtmf.codes.find_code", codes.find_code), ("dtmf.webhook.verify", webhook.verify)):
        yield from _callable(name, function)
    yield from _types()
    yield from _exceptions()


def _class(kind: type, name: str) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    if kind is client.DTMF:
        yield from ("```text", f"{name}{_signature(kind.__init__)}", "```", "")
    yield _quoted(kind.__doc__ or "")
    yield ""
    inherited = {name: found for base in kind.__mro__[1:-1] for name, found in vars(base).items()}
    for member, found in {**vars(kind), **inherited}.items():
        if inspect.isfunction(found) and not member.startswith("_"):
            yield from _callable(member, found)


def _callable(name: str, function: Callable[..., Any]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield from ("```text", f"{name.rpartition('.')[2]}{_signature(function)}", "```", "")
    yield _quoted(inspect.getdoc(function) or "")
    yield ""


def _signature(function: Callable[..., Any]) -> str:
    """Its parameters and what it returns, as the source spells them."""
    signature, shown, is_keyword_only = inspect.signature(function), list[str](), False
    for name, each in signature.parameters.items():
        if name == "self":
            continue
        if each.kind is each.KEYWORD_ONLY and not is_keyword_only:
            shown.append("*")
            is_keyword_only = True
        default = "" if each.default is each.empty else f" = {each.default!r}"
        shown.append(f"{name}: {each.annotation}{default}")
    returned = f" -> {signature.return_annotation}" if signature.return_annotation != "None" else ""
    return f"({', '.join(shown)}){returned}"


def _types() -> Iterator[str]:
    """The dictionaries that methods return."""
    yield from ("## Types", "", "Results are plain dictionaries; `dtmf.types` has their types.", "")
    for name, kind in vars(types).items():
        if typing.is_typeddict(kind):
            yield from (f"### {name}", "", " ".join((kind.__doc__ or "").split()), "", "| key | type |", "|---|---|")
            for key, hint in inspect.get_annotations(kind).items():
                shown = hint.__name__ if isinstance(hint, type) else getattr(hint, "__forward_arg__", hint)
                yield f"| `{key}` | `{_cell(shown)}` |"
            yield ""


def _exceptions() -> Iterator[str]:
    yield "## Exceptions"
    yield ""
    yield "Every exception but `ValueError` is a `DTMFError` with `status`, `code` and `request_id`. [Errors](errors.md) lists"
    yield "the codes."
    yield ""
    yield "| exception | meaning |"
    yield "|---|---|"
    for name in dtmf.__all__:
        kind = getattr(dtmf, name)
        if isinstance(kind, type) and issubclass(kind, Exception):
            yield f"| `{name}` | {_cell(kind.__doc__)} |"
    yield ""


# --- the API --------------------------------------------------------------------------------------------------------


def endpoints_page() -> Iterator[str]:
    """Every operation of the OpenAPI document of a sandbox, which has all of them."""
    found = document(_routes(is_sandbox=True))
    yield from _head(
        "Endpoints",
        reader="developers who call the API without the Python client.",
        result="send every request and read its response.",
    )
    yield "Send `Authorization: Bearer <token>` with every request. [API conventions](api.md) explain paging, idempotency and"
    yield "limits; a refused request is answered with one of the [errors](errors.md)."
    yield ""
    by_tag: dict[str, list[str]] = {}
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).extend(_operation(path, method, operation, found))
    for tag, lines in by_tag.items():
        yield from (f"## {tag}", "", *lines)
    yield from _schemas(found)


def _operation(path: str, method: str, operation: Json, found: Json) -> Iterator[str]:
    yield f"### {method.upper()} {path}"
    yield ""
    yield operation.get("description", "")
    yield ""
    parameters = operation.get("parameters", [])
    if parameters:
        yield "| parameter | in | type | meaning |"
        yield "|---|---|---|---|"
        for each in parameters:
            name, place = each["name"], each["in"]
            yield f"| `{name}` | {place} | {_kind(each['schema'], found)} | {_cell(each.get('description', ''))} |"
        yield ""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        yield f"**Body:** {_kind(body, found)}"
        yield ""
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            content = next(iter(answer.get("content", {}).values()), {})
            yield f"**{status}:** {_kind(content['schema'], found) if content.get('schema') else 'no body'}"
            yield ""


def _schemas(found: Json) -> Iterator[str]:
    yield "## Objects"
    yield ""
    for name, schema in sorted(found["components"]["schemas"].items()):
        if not schema.get("properties"):
            continue
        yield from (f"### {name} object", "")
        if schema.get("description"):
            yield from (schema["description"], "")
        yield "| field | type | meaning |"
        yield "|---|---|---|"
        for field, kind in schema["properties"].items():
            optional = "" if field in schema.get("required", []) else "optional"
            said = _cell(kind.get("description", ""))
            yield f"| `{field}` | {_kind(kind, found)} | {'; '.join(each for each in (optional, said) if each)} |"
        yield ""


def _kind(schema: Json, found: Json) -> str:
    """A schema in a few words, with a link to its object."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        named: Json = found["components"]["schemas"][name]
        return f"[{name}](#{name.lower()}-object)" if named.get("properties") else _kind(named, found)
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if options := schema.get("oneOf") or schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_kind(option, found) for option in options))
    if schema.get("type") == "array":
        return f"array of {_kind(schema.get('items', {}), found)}"
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


# --- the commands ---------------------------------------------------------------------------------------------------


def commands_page() -> Iterator[str]:
    """The help of every command."""
    yield from _head(
        "Commands",
        reader="people who use `dtmf` in a shell, and operators who run `dtmf-server`.",
        result="look up every command and option.",
    )
    yield "## dtmf"
    yield ""
    yield from _help([])
    for name in commands.NAMES:
        yield from (f"### dtmf {name}", "")
        text = list(_help([name, "--help"]))
        yield from text
        if "Commands" in text:
            for line in text[text.index("Commands") + 1 :]:
                if action := re.match(r"  (\w+)  ", line):
                    yield from (f"#### dtmf {name} {action[1]}", "", *_help([name, action[1], "--help"]))
    yield from _server_commands(_parser(), "dtmf-server", level=2)


def _help(tokens: list[str]) -> list[str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert dtmf_command(tokens) == 0, tokens
    return ["```text", *(line.rstrip() for line in said.getvalue().strip("\n").splitlines()), "```", ""]


def _server_commands(parser: argparse.ArgumentParser, name: str, *, level: int) -> Iterator[str]:
    yield from ("#" * level + f" {name}", "", parser.description or "", "")
    options = [each for each in parser._actions if not isinstance(each, argparse._SubParsersAction)]
    shown = [each for each in options if each.dest not in ("help", "version")]
    if shown:
        yield "| option | meaning |"
        yield "|---|---|"
        for each in shown:
            written = ", ".join(each.option_strings) or str(each.metavar or each.dest)
            value = f" {each.metavar or _choices(each)}" if each.option_strings and each.nargs != 0 else ""
            yield f"| `{written}{value}` | {_cell((each.help or '').replace('%%', '%'))} |"
        yield ""
    for each in parser._actions:
        if isinstance(each, argparse._SubParsersAction):
            for action, below in each.choices.items():
                yield from _server_commands(below, f"{name} {action}", level=min(level + 1, 4))


def _choices(action: argparse.Action) -> str:
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()


# --- the settings ---------------------------------------------------------------------------------------------------


def settings_page() -> Iterator[str]:
    """Every key of the configuration file."""
    yield from _head(
        "Settings", reader="operators.", result="write a configuration file, or set any key from the environment."
    )
    yield "`dtmf-server run --config dtmf.toml` reads a TOML file. An environment variable overrides it: `DTMF_SERVER__PORT` is"
    yield "`port` of `[server]`, and `DTMF_DATABASE__URL_FILE` names a file that contains the value. `[[carrier]]` and"
    yield "`[[bitcoin.larger]]` may be repeated; the environment numbers them from 0: `DTMF_CARRIER__0__PASSWORD`."
    yield ""
    yield 'Values marked *secret* are never logged. Each can be in a file of its own: `password_file = "secrets/phone"` instead'
    yield "of `password`, with a path relative to the folder of the configuration."
    yield ""
    top = {
        name: kind for name, kind in fields(Config).items() if not is_section(kind) and get_origin(kind) is not tuple
    }
    yield from ("## Top level", "", *_rows(Config, "", top))
    for name, kind in fields(Config).items():
        if is_section(kind):
            yield from _table(f"[{name}]", kind, name)
        if name == "lightning":
            yield from _lightning_kinds()
    common = fields(CarrierSettings)
    yield from ("## [[carrier]]", "", "Every kind of carrier has these.", "")
    yield from _rows(CarrierSettings, "carrier", common)
    for point in sorted(BUILT_IN, key=lambda point: point.name):
        kind = find(point.name).settings
        own = {name: of for name, of in fields(kind).items() if name not in common}
        yield from (f'### kind = "{point.name}"', "", " ".join((kind.__doc__ or "").split()), "")
        yield from _rows(kind, f"carrier.{point.name}", own) if own else ("It has no settings of its own.", "")


def _lightning_kinds() -> Iterator[str]:
    for name in lightning.names():
        kind = lightning.settings_class(name)
        own = {key: of for key, of in fields(kind).items() if key not in fields(LightningSettings)}
        yield from (f'### [lightning] kind = "{name}"', "", " ".join((kind.__doc__ or "").split()), "")
        yield from _rows(kind, f"lightning.{name}", own)


def _table(title: str, section: type[Section], path: str) -> Iterator[str]:
    yield from (f"## {title}", "", " ".join((section.__doc__ or "").split()), "")
    several = {name: kind for name, kind in fields(section).items() if get_origin(kind) is tuple}
    yield from _rows(section, path, {name: kind for name, kind in fields(section).items() if name not in several})
    for name, kind in several.items():
        yield from _table(f"[[{path}.{name}]]", item_type(kind, 0), f"{path}.{name}")


def _rows(section: type[Section], path: str, kinds: Json) -> Iterator[str]:
    defaults = {each.name: _default(each) for each in msgspec.structs.fields(section) if each.name in kinds}
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, kind in kinds.items():
        key = f"{path}.{name}".strip(".")
        secret = " *(secret)*" if extra(kind).get("secret") else ""
        yield f"| `{name}` | {_cell(description(kind))}{secret} | {defaults[name]} | {_cell(MEANINGS[key])} |"
    yield ""


def _default(each: msgspec.structs.FieldInfo) -> str:
    if each.default is msgspec.NODEFAULT:
        return "required" if each.default_factory is msgspec.NODEFAULT else "none"
    if each.default is None or each.default == ():
        return "none"
    return f"`{json.dumps(each.default)}`"


# --- events and errors ----------------------------------------------------------------------------------------------


def events_page() -> Iterator[str]:
    """The kinds of events, and the fields of each."""
    yield from _head(
        "Events", reader="developers who read the event stream.", result="parse every kind of event and its fields."
    )
    yield "[Events](../guides/events.md) explains when each kind happens and how to follow the stream. New kinds and fields may"
    yield "be added: ignore those that you don't know."
    yield ""
    yield from ("## Kinds", "", *(f"- `{kind}`" for kind in get_args(Kind)), "")
    yield from ("## Fields", "", "| field | type | of which kinds, and meaning |", "|---|---|---|")
    hints = get_type_hints(Event, include_extras=True)
    required = {each.name for each in msgspec.structs.fields(Event) if each.required}
    schema = msgspec.json.schema_components([Event], ref_template="{name}")[1]["Event"]["properties"]
    assert set(hints) == set(schema)
    for name, kind in schema.items():
        of = [each["$ref"] if "$ref" in each else each.get("type", "") for each in kind.get("anyOf", [kind])]
        kinds = " or ".join(
            f"[{one}](endpoints.md#{one.lower()}-object)" if one[:1].isupper() else str(one) for one in of
        )
        said = "one of the kinds above" if name == "kind" else kind.get("description", "")
        said = f"every event: {said}" if name in required and said else said or "every event"
        yield f"| `{name}` | {'string' if name == 'kind' else kinds} | {_cell(said)} |"
    yield ""


def errors_page() -> Iterator[str]:
    """Every error code."""
    yield from _head(
        "Errors",
        reader="developers and operators who got an error.",
        result="find what a code means and how to fix it.",
    )
    yield "A refused request is answered with `application/problem+json` (RFC 9457). Tell errors apart by `code`, which is"
    yield "stable; `detail` is for people and may change. `type` is the path of the code's description on the service that"
    yield "answered. `request_id` is also in the `X-Request-Id` header and in the service's log. The Python client raises an"
    yield "exception for each code ([exceptions](client.md#exceptions))."
    yield ""
    yield "| code | status | where | the client raises |"
    yield "|---|---|---|---|"
    for code, entry in sorted(ERRORS.items()):
        raised = f"`{errors._kind(entry.status, code).__name__}`" if entry.where == "API" else ""
        yield f"| [`{code}`](#{code}) | {entry.status} | {entry.where} | {raised} |"
    yield ""
    docstrings = {kind.code: (kind.__doc__ or "").strip() for kind in refusals()}
    for code, entry in sorted(ERRORS.items()):
        yield from (
            f"## {code}",
            "",
            f"**{entry.status} {entry.title}.** {entry.meaning}",
            "",
            f"**Fix:** {entry.fix}",
            "",
        )
        text = json.dumps(example(code, detail=docstrings.get(code, "")), indent=1, ensure_ascii=False)
        yield from ("```json", text, "```", "")


def refusals() -> list[type[Refusal]]:
    """Every refusal of the service, the general ones first."""
    for module in pkgutil.walk_packages(dtmf_server.__path__, "dtmf_server."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)

    def below(kind: type[Refusal]) -> Iterator[type[Refusal]]:
        yield kind
        for each in kind.__subclasses__():
            yield from below(each)

    mentioned: dict[str, type[Refusal]] = {}
    for kind in below(Refusal):
        if kind.__module__.startswith("dtmf_server."):
            mentioned.setdefault(kind.code, kind)
    return list(mentioned.values())


if __name__ == "__main__":
    os.environ.update(COLUMNS="80", NO_COLOR="1")
    sys.exit(main())
