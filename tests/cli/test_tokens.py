"""`dtmf tokens`."""

import json

from dtmf import DTMF
from support.cli_process import Refused, Run


def test_a_restricted_token_is_created_listed_and_revoked(dtmf: DTMF, run: Run, refused: Refused, url: str) -> None:
    limits = ("--scope", "read,rent", "--max", "5000", "--expires", "7d")
    token = run("tokens", "create", "bot", *limits).out.strip()
    (bot,) = [each for each in dtmf.tokens() if each["label"] == "bot"]
    assert (bot["scopes"], bot["sats_max"], bot["rentals_max"]) == (["read", "rent"], 5000, None)
    assert bot["expires_at"] is not None
    listed = run("tokens").out
    assert "read, rent" in listed and "5,000" in listed and token not in listed
    assert json.loads(run("tokens", "--json").out) == dtmf.tokens()
    with DTMF(token, base_url=url) as child:
        assert child.token()["id"] == bot["id"]
        assert child.account()["balance"] >= 0
    assert run("tokens", "revoke", str(bot["id"])).out == f"Token {bot['id']} is revoked.\n"
    assert [each["id"] for each in dtmf.tokens() if each["label"] == "bot"] == []
    assert refused("tokens", "create", "--scope", "admin")[0] == 2
    assert refused("tokens", "revoke", str(bot["id"]))[0] == 4
