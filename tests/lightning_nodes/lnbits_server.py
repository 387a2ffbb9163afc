"""An LNbits server with its FakeWallet, a wallet of the service, and one of a payer with coins that do not exist."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning_nodes.processes import HttpRefused, Program, post
from scale.cluster import free_port

PASSWORD, INSTALL_TOKEN = "a-password-for-tests", "a-token-for-tests"
PAYER_SATS = 10_000_000


class LnbitsServer:
    """The server. A context manager."""

    def __init__(self, environment: Path) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="dtmf-lnbits-", ignore_cleanup_errors=True)
        folder, port = Path(self._temporary.name), free_port()
        self.url = f"http://127.0.0.1:{port}"
        environ = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "LNBITS_DATA_FOLDER": str(folder),
            "LNBITS_BACKEND_WALLET_CLASS": "FakeWallet",
            "FAKE_WALLET_SECRET": "tests",
            "LNBITS_ADMIN_UI": "true",
            "FIRST_INSTALL_TOKEN": INSTALL_TOKEN,
            "LNBITS_EXTENSIONS_DEACTIVATE_ALL": "true",
            "LNBITS_EXTENSIONS_MANIFESTS": "[]",
            "LNBITS_EXCHANGE_RATE_PROVIDERS": "[]",  # ask no other server
        }
        # It finds its static files only from the folder that contains the package.
        (packages,) = (environment / "lib").glob("python3.*/site-packages")
        command: list[object] = [environment / "bin" / "python", "-m", "lnbits.server"]
        self._program = Program(command, folder / "log", environ=environ, folder=packages)
        self.wallet: dict[str, Any] = {}
        self.payer: dict[str, Any] = {}

    def __enter__(self) -> "LnbitsServer":
        self._program.start(self._is_ready)
        install = {"username": "operator", "password": PASSWORD, "password_repeat": PASSWORD}
        body = install | {"first_install_token": INSTALL_TOKEN}
        token = post(f"{self.url}/api/v1/auth/first_install", body, method="PUT")["access_token"]
        self.wallet = post(f"{self.url}/api/v1/account", {"name": "DTMF"})
        self.payer = post(f"{self.url}/api/v1/account", {"name": "payer"})
        balance = {"id": self.payer["id"], "amount": PAYER_SATS}
        headers = {"Authorization": f"Bearer {token}"}
        post(f"{self.url}/users/api/v1/balance", balance, method="PUT", headers=headers)
        return self

    def __exit__(self, *_reason: object) -> None:
        self._program.kill()
        self._temporary.cleanup()

    def restart(self) -> None:
        """Kill the server and start it again."""
        self._program.kill()
        self._program.start(self._is_ready)

    def pay(self, bolt11: str) -> None:
        """Pay an invoice from the payer's wallet. Raises HttpRefused."""
        headers = {"X-Api-Key": self.payer["adminkey"]}
        post(f"{self.url}/api/v1/payments", {"out": True, "bolt11": bolt11}, headers=headers)

    def _is_ready(self) -> bool:
        with suppress(HttpRefused):  # this is not an invoice, but the server answers
            post(f"{self.url}/api/v1/payments/decode", {"data": "none"})
        return True


def from_environment() -> LnbitsServer:
    """Return the server of the environment that `make test-lightning` names."""
    return LnbitsServer(Path(os.environ["DTMF_TEST_LNBITS"]))
