"""An unusable carrier kind is a one-line error that says what to do; an unused one has no effect."""

from pathlib import Path

import pytest

from dtmf_server.carriers import registry
from dtmf_server.config import ConfigError
from support.carrier_plugins import installed

MODULE = """
from typing import Annotated
from dtmf_server.carriers.registry import CarrierKind
from dtmf_server.config import CarrierSettings, setting
class Bare(CarrierSettings, frozen=True, kw_only=True):
    host: str
KIND = CarrierKind("pigeon", CarrierSettings, print)
BARE = CarrierKind("pigeon", Bare, print)
UNTYPED = CarrierKind("pigeon", dict, print)
OTHER = CarrierKind("dove", CarrierSettings, print)
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Install a distribution whose kind "pigeon" is the object that the parameter names."""
    (tmp_path / "pigeon_post.py").write_text(MODULE)
    (tmp_path / "pigeon_broken.py").write_text("import no_such_module_of_pigeons\n")
    folder = installed(tmp_path / "installed", name="pigeon-post", entry_points={"pigeon": request.param})
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(folder))
    return str(request.param)


@pytest.mark.parametrize("plugin", ["pigeon_post:KIND"], indirect=True)
def test_an_installed_kind_is_found_by_its_name(plugin: str) -> None:
    assert registry.find("pigeon").name == "pigeon"
    assert registry.names() == ["android", "pigeon", "simulator", "smpp"]


@pytest.mark.parametrize(
    ("plugin", "complaint"),
    [
        ("pigeon_broken:KIND", "can't be imported: ModuleNotFoundError: No module named 'no_such_module_of_pigeons'"),
        ("pigeon_post:NOTHING", "can't be imported: AttributeError"),
        ("pigeon_post:MODULE", "can't be imported: AttributeError"),
        ("pigeon_post:Bare", "is wrong: pigeon_post:Bare is no CarrierKind but"),
        ("pigeon_post:OTHER", "is wrong: pigeon_post:OTHER is the kind 'dove'"),
        ("pigeon_post:UNTYPED", "has settings that are no subclass of dtmf_server.config.CarrierSettings"),
        ("pigeon_post:BARE", "has the setting host without a description"),
    ],
    indirect=["plugin"],
)
def test_a_plugin_that_cannot_be_used_is_an_error_that_names_its_distribution(plugin: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        registry.find("pigeon")
    assert str(refused.value).startswith("is 'pigeon', and the plug-in that has it, pigeon-post 0.1.0, ")
    assert complaint in str(refused.value)
    assert registry.find("smpp").name == "smpp"


def test_a_kind_that_is_not_installed_is_an_error_that_lists_the_installed_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"is 'pigeon', and no such kind is installed: known are android, simulator, smpp; other"
    ):
        registry.find("pigeon")


@pytest.mark.parametrize("plugin", ["pigeon_post:KIND"], indirect=True)
def test_a_kind_provided_by_two_distributions_is_an_error(
    plugin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = installed(tmp_path / "other", name="pigeon-two", entry_points={"pigeon": plugin})
    monkeypatch.syspath_prepend(str(other))
    with pytest.raises(ConfigError, match=r"pigeon-\w+ 0.1.0 and pigeon-\w+ 0.1.0 both have"):
        registry.find("pigeon")
