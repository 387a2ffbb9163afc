"""What `dtmf-server init` is going to write."""

from dataclasses import dataclass, field

from dtmf_server.cli.setup import catalog
from dtmf_server.cli.setup.kinds import SetupKind


@dataclass(slots=True)
class Plan:
    """Everything that is known before anything is written."""

    mode: str
    port: int
    public_url: str
    kind: SetupKind | None = None
    values: dict[str, object] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)
    prices: catalog.Prices = catalog.FREE
    adds_public_url: bool = False

    @property
    def name(self) -> str:
        """Return the carrier's name."""
        return str(self.values["name"])

    @property
    def callback_url(self) -> str:
        """Return the URL to which the carrier posts."""
        return f"{self.public_url}/callbacks/carriers/{self.name}"
