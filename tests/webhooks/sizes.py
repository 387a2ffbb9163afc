"""How much the tests of the deliveries try: little by itself, as much as the environment asks for.

DTMF_WEBHOOKS_NUMBERS   numbers whose receiver is down for a day (default 6)
DTMF_WEBHOOKS_SMS       SMS that come meanwhile, and again while it flaps (default 25)
DTMF_WEBHOOKS_SEED      of those SMS, their times and the flapping (default 0); a failure prints it
DTMF_WEBHOOKS_DEAD      hosts that never answer (default 60; `make prove` takes 500)
DTMF_WEBHOOKS_FLIPS     signatures with one bit changed (default 2,000; `make prove` takes 100,000)
DTMF_WEBHOOKS_REBINDS   times that a name's address flips (default 1,000)
DTMF_WEBHOOKS_THOROUGH  1: the whole corpus of URLs where an eighth of it does otherwise
"""

import os

NUMBERS = int(os.environ.get("DTMF_WEBHOOKS_NUMBERS", "6"))
SMS = int(os.environ.get("DTMF_WEBHOOKS_SMS", "25"))
SEED = int(os.environ.get("DTMF_WEBHOOKS_SEED", "0"))
DEAD = int(os.environ.get("DTMF_WEBHOOKS_DEAD", "60"))
FLIPS = int(os.environ.get("DTMF_WEBHOOKS_FLIPS", "2000"))
REBINDS = int(os.environ.get("DTMF_WEBHOOKS_REBINDS", "1000"))
THOROUGH = os.environ.get("DTMF_WEBHOOKS_THOROUGH") == "1"
SHELF = max(700, DEAD + 50, NUMBERS + 50)  # numbers in the tests' catalog
