"""The status of carriers is visible in /readyz, /metrics and the operator's commands."""

import json
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from dtmf_server.operations import carrier_health
from dtmf_server.runtime import metrics
from dtmf_server.runtime.clock import wall_us
from dtmf_server.runtime.link_text import fault_text
from dtmf_server.storage.db import Tx
from dtmf_server.workers import carrier_recovery
from harness import runtime_over
from smpp.conftest import Bound
from smpp.smsc import Smsc
from support.server_process import Service, command

Binding = Callable[..., Bound]


def readyz(url: str) -> dict[str, str]:
    with urllib.request.urlopen(f"{url}/readyz", timeout=30) as reply:
        found: dict[str, str] = json.loads(reply.read())
        return found


def test_a_carrier_that_is_down_degrades_the_service_and_leaves_it_ready(bind_on_each_engine: Binding) -> None:
    bound = bind_on_each_engine()
    bound.eventually(lambda: readyz(bound.url)["status"] == "ready")
    bound.smsc.do("set", bind=14)
    bound.smsc.do("close")
    state = bound.eventually(lambda: (found := readyz(bound.url))["status"] == "degraded" and found)
    assert state["database"] == "ok"
    bound.eventually(lambda: "it refuses the password" in readyz(bound.url).get("carriers", ""))
    bound.smsc.do("set", bind=0)
    bound.eventually(lambda: readyz(bound.url)["status"] == "ready")


def test_a_link_that_no_process_runs_is_reported_as_such(bind: Binding) -> None:
    bound = bind()
    bound.eventually(lambda: bound.rows("SELECT 1 FROM carrier_links WHERE state = 'bound'"))
    bound.stop()
    later_us = wall_us() + carrier_health.STALE_US
    (link,) = bound.db.read_blocking(lambda tx: carrier_health.faults(tx, wall_us=later_us))
    assert fault_text(link, wall_us=later_us) == "london transceiver 1 is not run by any process"


def test_prometheus_has_a_metric_per_link(bind: Binding) -> None:
    bound = bind()
    bound.eventually(lambda: bound.rows("SELECT 1 FROM carrier_links WHERE state = 'bound'"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = metrics.listen(runtime_over(bound.db), host="127.0.0.1", port=port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
            text = reply.read().decode()
    finally:
        server.shutdown()
        server.server_close()
    assert 'dtmf_carrier_link_up{carrier="london",link="london transceiver 1"} 1.0' in text
    assert "dtmf_carrier_answer_p95_seconds{" in text


def test_the_operator_s_commands_report_faults_and_import_the_stock(tmp_path: Path) -> None:
    data = tmp_path / "data"
    config = tmp_path / "dtmf.toml"
    with Smsc() as smsc:
        config.write_text(
            '[[carrier]]\nname = "london"\nkind = "smpp"\nhost = "127.0.0.1"\nsystem_id = "dtmf"\npassword = "secret"\n'
            f"port = {smsc.port}\n"
        )
        smsc.do("set", bind=14)
        with Service(data, "--config", config) as service:
            service.wait_ready()
            smsc.pdu(lambda pdu: pdu.command == 9)
            smsc.pdu(lambda pdu: pdu.command == 9)  # it was refused once
            down = command("carriers", "--config", config, "--data", data)
            assert (down.code, "london transceiver 1: " in down.out) == (1, True)
            groups = tmp_path / "groups.csv"
            groups.write_text(
                "id,type,name,country_code,setup_cost,rental_cost_per_minute,cost_per_inbound_message,carriers\n"
                "xx-mobile,mobile,Nowhere,xx,1,1,1,paris\n"
            )
            said = command("groups", "import", groups, "--config", config, "--data", data)
            assert said.code == 0 and "1 groups imported: 1 added" in said.out
            wrong = tmp_path / "numbers.csv"
            wrong.write_text("e164,group_id\n+1,xx-mobile\n")
            said = command("numbers", "import", wrong, "--config", config, "--data", data)
            assert said.code == 1
            assert "numbers.csv:2: e164 must be a number like +4207000000, not '+1'" in said.out
            assert said.out.endswith("\nnothing was imported\n")
            said = command("prices", "import", tmp_path / "none.csv", "--config", config, "--data", data)
            assert (said.code, "can't read" in said.err) == (2, True)
            said = command("doctor", "--config", config, "--data", data)
            assert said.code == 1
            assert "group xx-mobile has no numbers: run dtmf-server numbers import FILE" in said.out
            assert "group xx-mobile sends with carrier paris, which is not configured" in said.out


def test_an_sms_that_waits_for_a_carrier_is_sent_when_its_link_is_up_again(
    bind_on_each_engine: Binding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier_recovery, "PROBE_S", 0)  # this outage takes only a moment
    bound = bind_on_each_engine()
    bound.smsc.do("set", bind=14)
    bound.smsc.do("close")
    bound.eventually(lambda: not bound.carrier.can_submit())
    message_id = bound.sends("hello")
    bound.eventually(lambda: bound.rows("SELECT 1 FROM deliveries WHERE reason = 'the carrier''s link is down'"))
    ten_hours_us = 36_000_000_000

    def wait_long(tx: Tx) -> None:
        tx.run("UPDATE deliveries SET attempts = 7, due_at_us = due_at_us + :long_us", long_us=ten_hours_us)
        tx.run("DELETE FROM attempts")

    bound.db.write_blocking(wait_long)
    bound.smsc.do("set", bind=0)
    bound.until(message_id, "sent")
