"""How much the proof about paid SMS tries: little by itself, as much as the environment asks for.

DTMF_SMPP_SUBMITS   SMS that are disturbed while their carrier holds them, on each engine (default 24)
DTMF_SMPP_LATE_S    how many seconds a late answer may take after its SMS is in doubt (default 0.2)
DTMF_SMPP_KILLS     processes killed while carriers hold their SMS, 8 each (default 4, one for each step)
DTMF_SMPP_SEED      of what happens to which SMS (default 0); it is printed
"""

import os

SUBMITS = int(os.environ.get("DTMF_SMPP_SUBMITS", "24"))
LATE_S = float(os.environ.get("DTMF_SMPP_LATE_S", "0.2"))
KILLS = int(os.environ.get("DTMF_SMPP_KILLS", "4"))
SEED = int(os.environ.get("DTMF_SMPP_SEED", "0"))
