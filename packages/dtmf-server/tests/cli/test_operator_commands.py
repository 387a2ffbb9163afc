"""`dtmf-server operator`: links, sessions, and where the console may listen."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dtmf_server import config
from dtmf_server.cli.main import main
from dtmf_server.config import ConfigError
from dtmf_server.operations import operator_sign_in
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage import operator_actions
from dtmf_server.storage.db import Database
from dtmf_server.web.kit.session_cookie import sha256

Run = Callable[..., tuple[int, str, str]]
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def run(db: Database, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the database, with a console; return its exit status and output."""
    monkeypatch.setenv("DTMF_OPERATOR__LISTEN", "127.0.0.1:8001")

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*arguments, "--database", database_url])
        return code, *capsys.readouterr()

    return run


def sign_in(db: Database, url: str, cookie: bytes) -> str:
    """Use a link, as the console does; return the operator."""
    link = sha256(url.partition("key=")[2])
    return db.write_blocking(
        lambda tx: operator_sign_in.sign_in(
            tx, link_sha256=link, session_sha256=cookie, replaces=b"", wall_us=wall_us()
        )
    )


@ON_SQLITE
def test_a_link_is_printed_alone_on_its_line_and_recorded(run: Run, db: Database) -> None:
    code, out, err = run("operator", "link", "ada", "--as", "root", "--reason", "on call")
    assert (code, err) == (0, "")
    url, said = out.splitlines()
    assert url.startswith("http://127.0.0.1:8001/operator/sign-in?key=") and "ada once" in said
    assert sign_in(db, url, b"c" * 32) == "ada"
    rows = db.read_blocking(lambda tx: operator_actions.newest(tx, before=100, limit=10))
    assert [(row["operator"], row["action"], row["object"], row["reason"]) for row in reversed(rows)] == [
        ("root", "operator link", "ada", "on call"),
        ("ada", "operator sign-in", "console", ""),
    ]


@ON_SQLITE
def test_sessions_are_listed_and_revoked(run: Run, db: Database) -> None:
    found = json.loads(run("operator", "link", "ada", "--json")[1])
    assert found["operator"] == "ada" and set(found) == {"url", "operator", "expires_at"}
    sign_in(db, found["url"], b"c" * 32)
    (session,) = json.loads(run("operator", "sessions", "list", "--json")[1])["sessions"]
    assert session["operator"] == "ada"
    assert f"{session['id']}  ada  signed in " in run("operator", "sessions", "list")[1]
    code, out, _ = run("operator", "sessions", "revoke", str(session["id"]), "--json")
    assert (code, json.loads(out)) == (0, {"ended": [session["id"]]})
    assert run("operator", "sessions", "list")[1] == ""
    code, out, err = run("operator", "sessions", "revoke", str(session["id"]))
    assert (code, out) == (1, "") and "there is no session" in err
    sign_in(db, json.loads(run("operator", "link", "ada", "--json")[1])["url"], b"d" * 32)
    assert run("operator", "sessions", "revoke", "--all")[1] == "sessions ended: 1\n"


@ON_SQLITE
@pytest.mark.parametrize("name", ["", " ", "x" * 101, "two\nlines"])
def test_a_link_needs_a_name(run: Run, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        run("operator", "link", name)
    assert refused.value.code == 2


@ON_SQLITE
def test_without_a_console_there_is_no_link(run: Run, monkeypatch: pytest.MonkeyPatch, db: Database) -> None:
    monkeypatch.delenv("DTMF_OPERATOR__LISTEN")
    code, out, err = run("operator", "link", "ada")
    assert (code, out) == (2, "") and 'set listen = "127.0.0.1:8001" in [operator]' in err
    monkeypatch.setenv("DTMF_OPERATOR__LISTEN", "127.0.0.1:0")
    assert run("operator", "link", "ada")[0] == 2, "any free port is not an address"
    assert db.read_blocking(lambda tx: operator_actions.newest(tx, before=100, limit=1)) == []


def operator_of(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "dtmf.toml"
    path.write_text(text)
    return config.load(path, {})


@pytest.mark.parametrize(
    ("lines", "url"),
    [
        ('listen = "127.0.0.1:8001"', "http://127.0.0.1:8001/operator"),
        ('listen = "[::1]:8001"', "http://[::1]:8001/operator"),
        ('listen = "0.0.0.0:8001"\npublic_url = "https://Ops.example.org/"', "https://ops.example.org/operator"),
        ('listen = "127.0.0.1:8001"\npublic_url = "http://localhost:9001"', "http://localhost:9001/operator"),
        ('listen = "127.0.0.1:0"', None),
        ("", None),
    ],
)
def test_the_address_of_the_console(tmp_path: Path, lines: str, url: str | None) -> None:
    assert operator_of(tmp_path, f"[operator]\n{lines}\n").operator.url == url


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('listen = "8001"', "an address and port"),
        ('listen = "127.0.0.1:99999"', "an address and port"),
        ('listen = "0.0.0.0:8001"', "can be reached by other machines"),
        ('listen = "console.example.org:8001"', "can be reached by other machines"),
        ('public_url = "https://ops.example.org"', "needs listen"),
        ('listen = "127.0.0.1:8001"\npublic_url = "http://ops.example.org"', "must begin with https://"),
        ('listen = "127.0.0.1:8001"\npublic_url = "https://ops.example.org/console"', "without a path"),
        ('listen = "127.0.0.1:8001"\npublic_url = "https://example.org"', "is the address of the website"),
    ],
)
def test_where_the_console_may_not_be(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        operator_of(tmp_path, f'[server]\npublic_url = "https://example.org"\n[operator]\n{lines}\n')
