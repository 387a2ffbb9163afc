"""Paths of the project's files."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "packages"
CLIENT = PACKAGES / "dtmf-io" / "src" / "dtmf"
SERVER = PACKAGES / "dtmf-server" / "src" / "dtmf_server"
LOOPBACK_CERTIFICATE = Path(__file__).with_name("loopback.pem")  # self-signed for 127.0.0.1, with its key; until 2125
MCP = PACKAGES / "dtmf-mcp" / "src" / "dtmf_mcp"
SOURCES = [CLIENT.parent, MCP.parent, SERVER.parent]
PYTHONPATH = os.pathsep.join(map(str, SOURCES))  # for processes that must run this tree's code
