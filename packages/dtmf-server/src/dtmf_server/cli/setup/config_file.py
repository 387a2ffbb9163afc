"""Writes `dtmf.toml`: a new file, or one more `[[carrier]]` at the end of an existing one, of which nothing else changes.

Secrets are written to files of their own, mode 0600. If anything fails, no file is left behind.
"""

import contextlib
import json
import os
import re
import secrets
import signal
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dtmf_server import config
from dtmf_server.carriers.registry import settings_class
from dtmf_server.config import CarrierSettings, Config, ConfigError
from dtmf_server.config.toml import toml_value
from dtmf_server.core.errors import CannotStart
from dtmf_server.payments.lightning import registry
from dtmf_server.storage import files

NAMES_MAX = 100
SECRETS = "secrets"
_SERVER = re.compile(rb"^[ \t]*\[[ \t]*server[ \t]*\][ \t]*(#[^\n]*)?\n", re.MULTILINE)

NEW = """\
# The configuration of dtmf-server. docs/reference/settings.md describes every key.
# `dtmf-server init` adds another carrier.

{mode_comment}
mode = "{mode}"

[server]
port = {port}
{public_url}
{signup}
# Deposits with your own Bitcoin node: docs/operations/bitcoin.md
# [bitcoin]
# network = "main"
# descriptor = "wpkh(…)#…"
# rpc = "http://user:password@127.0.0.1:8332"
"""
MODE_COMMENTS = {
    "sandbox": "# Test coins and a clock that can be advanced. Production needs a database of its own.",
    "production": "# Real customers and real coins. Without a mode, dtmf-server is a sandbox.",
}
CLOSED = """
# Only `dtmf-server accounts open` opens accounts. With prices, "open" lets customers sign up.
[signup]
mode = "closed"
"""
PUBLIC_URL = "# Where carriers and renters reach this service."


def new_text(*, mode: str, port: int, public_url: str, closed: bool) -> str:
    """Return a new configuration without carriers."""
    line = f"{PUBLIC_URL}\npublic_url = {json.dumps(public_url)}" if public_url else '# public_url = "https://…"'
    return NEW.format(
        mode=mode, mode_comment=MODE_COMMENTS[mode], port=port, public_url=line, signup=CLOSED if closed else ""
    )


def carrier_text(values: Mapping[str, object], *, comment: str) -> str:
    """Return a `[[carrier]]` table."""
    lines = [f"{name} = {toml_value(value)}" for name, value in values.items()]
    return "\n".join([f"# {comment}", "[[carrier]]", *lines, ""])


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Return the configuration in a file. Raises ConfigError."""
    return config.load(path, environ, settings_of=settings_class, lightning_of=registry.settings_class)


def require_writable(path: Path) -> None:
    """Raise CannotStart if no file can be created beside this one."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise CannotStart(f"can't write to the folder {path.parent}: {error.strerror}") from None


def checked(values: Mapping[str, object], *, mode: str, public_url: str) -> CarrierSettings:
    """Return the settings of a carrier's table. Raises ConfigError."""
    server = f"[server]\npublic_url = {json.dumps(public_url)}\n" if public_url else ""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dtmf.toml"
        file.write_text(f'mode = "{mode}"\n{server}{carrier_text(values, comment="new")}', "utf-8")
        try:
            return load(file, {}).carrier[0]
        except ConfigError as error:
            raise ConfigError(re.sub(r"\A.*?dtmf\.toml:[0-9]+: (carrier\[0\]\.)?", "", str(error))) from None


def extended(before: bytes, added: str, *, public_url: str) -> bytes:
    """Return an existing file with an addition at its end, and with a public URL if it has none. Raises CannotStart."""
    end = b"\r\n" if b"\r\n" in before else b"\n"
    table = tomllib.loads(before.decode("utf-8-sig"))
    if public_url and not table.get("server", {}).get("public_url"):
        line = f"public_url = {json.dumps(public_url)}"
        found = _SERVER.search(before)
        if found:
            before = before[: found.end()] + line.encode() + end + before[found.end() :]
        elif "server" in table:
            raise CannotStart(f"add this to the server's settings in the configuration first: {line}")
        else:
            added = f"[server]\n{line}\n\n{added}"
    if not before.endswith(b"\n"):
        before += end
    return before + end + added.encode().replace(b"\n", end)


@contextlib.contextmanager
def writing(
    path: Path, content: bytes, new_secrets: Mapping[str, str], *, before: bytes | None, environ: Mapping[str, str]
) -> Iterator[Config]:
    """Write the secrets and the new content, and yield the valid configuration; `path` changes when the block ends. If the
    block raises, no file is left and nothing is changed. Ctrl-C has no effect until then.

    `before`: the content of the file that is replaced; None: the file must not exist. Raises CannotStart, ConfigError.
    """
    path = path.resolve()
    with _uninterrupted(), contextlib.ExitStack() as undo, _translated(path):
        for name, secret in new_secrets.items():
            _write_secret(path.parent / name, secret, undo.callback)
        candidate = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        undo.callback(candidate.unlink, missing_ok=True)
        mode = 0o644 if before is None else path.stat().st_mode & 0o777
        with os.fdopen(os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            if before is not None:
                os.fchmod(file.fileno(), mode)  # the umask does not apply to an existing file
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            loaded = load(candidate, environ)
        except ConfigError as error:
            raise ConfigError(str(error).replace(str(candidate), str(path))) from None
        yield loaded
        if before is None:
            os.link(candidate, path)
        elif path.read_bytes() != before:
            raise CannotStart(f"{path} was changed meanwhile: run dtmf-server init again")
        else:
            candidate.replace(path)
        candidate.unlink(missing_ok=True)
        undo.pop_all()


def free_names(folder: Path, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return a path that is free, relative to the folder, for each secret: `secrets/phone-password`."""
    found = {}
    for setting, stem in wanted.items():
        names = (f"{SECRETS}/{stem}{f'-{at}' if at else ''}" for at in range(NAMES_MAX))
        found[setting] = next(name for name in names if not os.path.lexists(folder / name))
    return found


def _write_secret(path: Path, secret: str, undo: Callable[..., object]) -> None:
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700)
        undo(_remove_folder, path.parent)
    with files.new_file(path) as file:
        file.write(f"{secret}\n".encode())
    undo(path.unlink, missing_ok=True)


def _remove_folder(path: Path) -> None:
    with contextlib.suppress(OSError):  # another program may have put a file into it
        path.rmdir()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C in the block, which takes a moment: what it writes is written, or the error is shown."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a mask would only apply to this thread
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise CannotStart(f"{path} exists meanwhile: run dtmf-server init again") from None
    except OSError as error:
        raise CannotStart(f"can't write {error.filename or path}: {error.strerror}") from None
