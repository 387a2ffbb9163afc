"""Make sure the money tests import the intended source: a mutant's, when a mutant is tested."""

import os
from pathlib import Path

import dtmf_server

EXPECTED = os.environ.get("DTMF_MONEY_SOURCE")
assert EXPECTED is None or Path(dtmf_server.__file__).is_relative_to(EXPECTED), "another dtmf_server was imported"
