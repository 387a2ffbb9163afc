"""`dtmf-server carriers check NAME --receive NUMBER` beside a running service, from the shell."""

import json
from pathlib import Path

from support.server_process import Service, command, request

CONFIGURATION = '[[carrier]]\nname = "sim"\nkind = "simulator"\n'


def test_the_command_sends_a_canary_and_shows_it_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "dtmf.toml"
    path.write_text(CONFIGURATION)
    at = ("--config", path, "--data", tmp_path)
    with Service(tmp_path, "--config", path) as service:
        service.wait_ready()
        said = command("carriers", "check", "sim", "--receive", "+447700900001", *at)
        assert "ok      receive: received: an SMS from +" in said.out, said
        assert "through sim arrived after" in said.out and said.code == 0
        said = command("carriers", "check", "sim", "--receive", "+447700900001", "--from", "72975", "--json", *at)
        found = json.loads(said.out)
        assert (found["ok"], found["canary"]["kind"], found["canary"]["result"]) == (True, "short_code", "received")
        lines = command("carriers", *at).out.splitlines()
        assert [line.partition(" (")[0] for line in lines if line.startswith("canary")] == [
            "canary +447700900001 at sim: one-time codes arrive",
            "canary +447700900001 at sim: codes from short codes arrive",
        ]
        shown = json.loads(command("carriers", "--json", *at).out)["canaries"]
        assert [(each["e164"], each["kind"], each["result"]) for each in shown] == [
            ("+447700900001", "one_time_code", "received"),
            ("+447700900001", "short_code", "received"),
        ]
        assert request(service.url, service.token, "GET", "/messages").json == []
        (address,) = request(service.url, service.token, "POST", "/addresses").json.values()
        deposit = {"address": address, "amount": 100_000}
        assert request(service.url, service.token, "POST", "/sandbox/deposit", deposit).status < 300
        rented = request(service.url, service.token, "POST", "/numbers", {"group_id": "gb-mobile"}).json["e164"]
        said = command("carriers", "check", "sim", "--receive", rented, *at)
        assert said.code == 1 and f"FAILED  receive: {rented} is rented" in said.out
    for options, complaint in (
        (("--receive", "0770"), "use the international format"),
        (("--from", "+447700900002"), "need --receive"),
        (("--receive", "+447700900001", "--through", "owl"), "carrier owl is not in the configuration"),
        (("--receive", "+447700900001", "--timeout", "0"), "whole number of seconds"),
    ):
        said = command("carriers", "check", "sim", *options, *at)
        assert said.code == 2 and complaint in said.err
