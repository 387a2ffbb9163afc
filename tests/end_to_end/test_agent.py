"""examples/agent.py: a program with a token of 2,000 satoshis, and one that tries every operation with it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2

from dtmf_server.storage.db import Database
from harness import new_token, open_account

EXAMPLE = Path(__file__).parents[2] / "examples" / "agent.py"


def test_the_agent_gets_its_code_and_the_statement_explains_every_satoshi(db: Database, url: str) -> None:
    open_account(db)
    environment = os.environ | {"DTMF_TOKEN": new_token(), "DTMF_URL": url, "AGENT_SATS": "2000"}
    done = subprocess.run(
        [sys.executable, EXAMPLE], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "482913" in done.stdout
    assert "post /api/v1/message: refused" in done.stdout
    assert "get /api/v1/account: allowed" in done.stdout
    tried = re.findall(r"^(?:get|post|put|patch|delete) (\S+): (?:refused|allowed)$", done.stdout, re.MULTILINE)
    assert len(tried) == sum(map(len, httpx2.get(f"{url}/schema/openapi.json").json()["paths"].values()))
    assert "of 2000 satoshis" in done.stdout
