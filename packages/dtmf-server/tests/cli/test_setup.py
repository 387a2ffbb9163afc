"""What `dtmf-server init` writes: all or nothing, only at the end of an existing file, with prices that cover the costs."""

import os
import signal
import tomllib
from pathlib import Path

import pytest

from dtmf_server.carriers.registry import settings_class
from dtmf_server.cli.setup import catalog, config_file, kinds
from dtmf_server.config import ConfigError
from dtmf_server.config.section import fields
from dtmf_server.core.errors import CannotStart

URL = "https://sms.example.net"
BLOCK = '[[carrier]]\nname = "x"\nkind = "smpp"\nhost = "127.0.0.1"\nsystem_id = "y"\npassword_file = "secrets/x-password"\n'
SECRETS = {"secrets/x-password": "s3cret"}


@pytest.mark.parametrize("kind", kinds.SETUP_KINDS, ids=lambda kind: kind.name)
def test_every_question_is_about_a_setting_of_its_kind(kind: kinds.SetupKind) -> None:
    known = fields(settings_class(kind.kind))
    assert {question.setting for question in kind.questions} <= known.keys()
    assert kind.kind in catalog.COSTS


@pytest.mark.parametrize("kind", catalog.COSTS)
@pytest.mark.parametrize("usd_per_coin", [10_000, 100_000, 1_000_000])
def test_suggested_prices_cover_what_the_carrier_charges(kind: str, usd_per_coin: int) -> None:
    cost, prices = catalog.COSTS[kind], catalog.suggested(kind, usd_per_coin=usd_per_coin)
    sats_per_usd = catalog.SATS_PER_COIN / usd_per_coin
    assert (
        prices.minute * catalog.MINUTES_PER_MONTH * catalog.RENTED_SHARE >= cost.month * sats_per_usd * catalog.MARGIN
    )
    assert prices.received >= cost.received * sats_per_usd * catalog.MARGIN and prices.setup > 0
    assert prices.segment is not None and prices.segment >= cost.sent * sats_per_usd * catalog.MARGIN
    assert catalog.PRICES_AS_OF in prices.reason and "suggestion" in prices.reason


@pytest.mark.parametrize(
    "before",
    [
        "",
        "# only a comment",
        'mode = "sandbox"\n',
        "[server]\n",
        "[server]   # mine\nport = 1\n",
        '[server]\nport = 1\n[limits]\nsends_per_day = 1',
        '[limits]\r\nsends_per_day = 1\r\n',
    ],
)  # fmt: skip
def test_an_addition_keeps_every_line_and_sets_the_public_url(before: str) -> None:
    after = config_file.extended(before.encode(), BLOCK, public_url=URL).decode()
    kept = iter(after.splitlines())
    assert all(line in kept for line in before.splitlines()), "every line is there, in its order"
    table = tomllib.loads(after)
    assert table["server"]["public_url"] == URL and table["carrier"][0]["name"] == "x"


def test_a_public_url_that_cannot_be_added_is_asked_for() -> None:
    with pytest.raises(CannotStart, match="add this to the server's settings"):
        config_file.extended(b"server = { port = 1 }\n", BLOCK, public_url=URL)


def test_a_public_url_stays_as_it_is() -> None:
    before = f'[server]\npublic_url = "{URL}/sms"\n'
    assert f'"{URL}/sms"' in config_file.extended(before.encode(), BLOCK, public_url=URL).decode()


def written(folder: Path, content: bytes, *, before: bytes | None = None) -> None:
    with config_file.writing(folder / "dtmf.toml", content, SECRETS, before=before, environ={}):
        pass


def test_a_configuration_that_would_be_invalid_leaves_no_file(tmp_path: Path) -> None:
    before = b'carrier = [{name = "x", kind = "smpp", host = "127.0.0.1", system_id = "y", password = "z"}]\n'
    (tmp_path / "dtmf.toml").write_bytes(before)
    with pytest.raises(ConfigError, match=r"dtmf\.toml:[0-9]+: not valid TOML"):
        written(tmp_path, config_file.extended(before, BLOCK, public_url=""), before=before)
    assert [path.name for path in tmp_path.iterdir()] == ["dtmf.toml"]
    assert (tmp_path / "dtmf.toml").read_bytes() == before


def test_a_failure_in_the_block_leaves_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError),
        config_file.writing(tmp_path / "dtmf.toml", BLOCK.encode(), SECRETS, before=None, environ={}),
    ):
        assert (tmp_path / "secrets" / "x-password").read_text() == "s3cret\n"
        raise RuntimeError
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_appeared_or_changed_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "dtmf.toml"
    file.write_text("# another program's\n")
    with pytest.raises(CannotStart, match="exists meanwhile"):
        written(tmp_path, BLOCK.encode())
    with pytest.raises(CannotStart, match="was changed meanwhile"):
        written(tmp_path, BLOCK.encode(), before=b"# mine\n")
    assert file.read_text() == "# another program's\n" and [path.name for path in tmp_path.iterdir()] == ["dtmf.toml"]


def test_an_existing_secret_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "x-password").write_text("mine")
    assert config_file.free_names(tmp_path, {"password": "x-password"}) == {"password": "secrets/x-password-1"}


def test_a_link_to_a_configuration_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "real.toml", tmp_path / "dtmf.toml"
    target.write_text("# mine\n")
    link.symlink_to(target)
    written(tmp_path, b"# mine\n" + BLOCK.encode(), before=b"# mine\n")
    assert link.is_symlink() and target.read_text().startswith("# mine\n[[carrier]]")


def test_ctrl_c_while_files_are_written_has_no_effect(tmp_path: Path) -> None:
    with config_file.writing(tmp_path / "dtmf.toml", BLOCK.encode(), SECRETS, before=None, environ={}):
        os.kill(os.getpid(), signal.SIGINT)
    assert (tmp_path / "dtmf.toml").read_text() == BLOCK
