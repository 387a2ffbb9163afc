"""Make plug-ins visible as an installation would: folders with a distribution's entry points, for PYTHONPATH."""

import tomllib
from pathlib import Path

from support.paths import ROOT

GROUP = "dtmf_server.carriers"
EXAMPLE = ROOT / "examples" / "carrier_plugin"


def installed(folder: Path, *, name: str, entry_points: dict[str, str]) -> Path:
    """Return a folder with a distribution that provides these carrier kinds."""
    info = folder / f"{name.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    lines = [f"{kind} = {value}" for kind, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
    return folder


def example(folder: Path) -> list[Path]:
    """Return the PYTHONPATH folders that make the example's own plug-in visible, as its pyproject.toml declares it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    return [installed(folder, name=project["name"], entry_points=project["entry-points"][GROUP]), EXAMPLE]
