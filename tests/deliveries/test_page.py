"""The Python of docs/guides/webhooks.md that needs a receiver, with a receiver on this machine as https://example.org."""

import re
from typing import Any

from dtmf import DTMF
from end_to_end.test_docs import differences
from support import markdown
from support.paths import ROOT
from support.webhook_receiver import Receiver

PAGE = ROOT / "docs/guides/webhooks.md"
THIS = "tests/deliveries/test_page.py"


def test_the_examples_are_correct(dtmf: DTMF, receiver: Receiver) -> None:
    e164 = dtmf.start_rental("free")["e164"]
    first, parked = [block.code for block in markdown.blocks(PAGE) if THIS in block.run_by.values()]
    names: dict[str, Any] = {"dtmf": dtmf}
    exec("from datetime import datetime", names)
    secret = dtmf.webhook_secret()
    replaced = {"https://example.org/hook": receiver.url, "+12025550100": e164, "whsec_…": secret}
    assert differences([filled(first, replaced | {"\n17\n": f"\n{first_delivery(dtmf) + 1}\n"})], names) == []
    receiver.wait_for(1)
    assert receiver.posted[0].json["id"] == 0
    receiver.answer = lambda _: 404
    for content in ("one", "two", "three", "four"):
        dtmf.sandbox.receive(e164, "+1234", content)
    ids: list[int] = []
    for _ in range(60):  # each advance makes the attempts that are due by then
        if len(ids) == 4:
            break
        dtmf.sandbox.advance(1800)
        ids = [delivery["id"] for delivery in dtmf.deliveries("parked")]
    assert len(ids) == 4
    line = "23 the receiver answered 404 [404, 404, 404, 404, 404]\n"
    everything = "".join(line.replace("23", str(id_)) for id_ in ids)
    today = re.sub(r"(\d+)-0?(\d+)-0?(\d+).*", r"datetime(\1, \2, \3)", dtmf.messages(e164).__next__()["timestamp"])
    replaced = {line: everything, "(23)": f"({ids[0]})", "datetime(2026, 11, 24)": today}
    assert differences([filled(parked, replaced)], names) == []


def filled(block: str, replaced: dict[str, str]) -> str:
    """The block with what differs on each run."""
    for old, new in replaced.items():
        assert old in block, old
        block = block.replace(old, new)
    return block


def first_delivery(dtmf: DTMF) -> int:
    """The ID of the newest delivery, 0 if there is none."""
    return max((delivery["id"] for delivery in dtmf.deliveries()), default=0)
