"""The operator's view of a real Lightning node: refused credentials, /readyz, doctor, and `deposits list|explain`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dtmf import DTMF, DTMFError
from support.lightning.shapes import SHAPES
from support.lightning.simulated_node import SimulatedNode
from support.operator import answer_of, until
from support.server_process import Said, Service, command


def configuration(folder: Path, kind: str, url: str, settings: dict[str, Any]) -> Path:
    """Write a configuration with this node; return its path."""
    values = {"kind": kind, "url": url, "poll_s": 0.1, **settings}
    lines = [
        f"{name} = {str(value).lower() if isinstance(value, bool | float) else repr(value)}"
        for name, value in values.items()
    ]
    path = folder / "dtmf.toml"
    path.write_text('[bitcoin]\nnetwork = "regtest"\n\n[lightning]\n' + "\n".join(lines) + "\n")
    return path


@contextmanager
def node_of(kind: str, **options: Any) -> Iterator[SimulatedNode]:
    """Run a simulated node with the real time."""
    with SimulatedNode(SHAPES[kind].answer, **options) as node:
        node.now_us = time.time_ns() // 1000
        yield node


@contextmanager
def service(folder: Path, node: SimulatedNode) -> Iterator[tuple[Service, Callable[..., Said]]]:
    """Run a service with a phoenixd node; yield it, and a function that runs its commands."""
    where = ("--config", configuration(folder, "phoenixd", node.server.url, SHAPES["phoenixd"].limited))
    where += ("--data", folder / "data")  # type: ignore[assignment]  # of more parts
    with Service(folder / "data", *where[:2]) as process:
        process.wait_ready()
        yield process, lambda *arguments: command(*arguments, *where)


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_a_service_whose_credentials_can_spend_does_not_start(kind: str, tmp_path: Path) -> None:
    shape = SHAPES[kind]
    with node_of(kind) as node:
        path = configuration(tmp_path, kind, node.server.url, shape.full)
        said = command("run", "--config", path, "--data", tmp_path / "data", "--port", "0")
        assert set(node.attempts_to_pay) <= {"none", ""}  # no invoice
    assert said.code != 0 and "lightning" in said.err and "spend" in said.err
    secrets = [value for value in shape.full.values() if isinstance(value, str) and len(value) > 8]
    assert not [secret for secret in secrets if secret in said.err + said.out]
    assert not (tmp_path / "data").exists(), "nothing was created"


def test_a_node_on_another_network_creates_no_invoice(tmp_path: Path) -> None:
    with node_of("phoenixd", network="main") as node, service(tmp_path, node) as (process, run):
        until(lambda: "the node is on the network 'main'" in answer_of(f"{process.url}/readyz")["lightning"])
        with DTMF(process.token, base_url=process.url, max_retries=0) as dtmf, pytest.raises(DTMFError) as caught:
            dtmf.new_invoice(1000)
        assert caught.value.code == "lightning_unavailable"
        said = run("doctor")
        assert said.code != 0 and "no Lightning payment is credited: the node is on the network 'main'" in said.out
        assert node.invoices == {}


def test_readyz_and_doctor_say_what_a_node_can_receive_and_that_it_is_down(tmp_path: Path) -> None:
    with node_of("phoenixd") as node, service(tmp_path, node) as (process, run):
        node.capacity_msat = 50_000_000

        def checks() -> dict[str, str]:
            return answer_of(f"{process.url}/readyz")

        until(lambda: checks()["lightning"] == "ok")
        assert int(checks()["lightning_age_s"]) < 60
        node.fault = "closed"
        until(lambda: checks()["lightning"].startswith("degraded: "))
        assert checks()["status"] == "ready", "the service takes requests although the node is down"
        said = run("doctor")
        assert said.code != 0 and "no Lightning payment is credited: " in said.out
        node.fault = ""
        until(lambda: checks()["lightning"] == "ok")


def test_doctor_warns_of_a_node_that_can_hardly_receive(tmp_path: Path) -> None:
    with node_of("phoenixd") as node:
        node.capacity_msat = 50_000_000
        with service(tmp_path, node) as (process, run):
            until(lambda: answer_of(f"{process.url}/readyz")["lightning_inbound_sats"] == "50000")
            said = run("doctor")
            assert "can receive only 50000 satoshis" in said.out + said.err


def test_deposits_list_and_explain_show_a_payment_with_its_fee(tmp_path: Path) -> None:
    with node_of("phoenixd") as node, service(tmp_path, node) as (process, run):
        until(lambda: answer_of(f"{process.url}/readyz")["lightning"] == "ok")
        with DTMF(process.token, base_url=process.url) as dtmf:
            invoice, other = dtmf.new_invoice(5000), dtmf.new_invoice(7)
            node.pay(invoice["payment_hash"], fee_msat=20_000)
            assert dtmf.wait_for_deposit(invoice)["amount"] == 5000
        listed = run("deposits", "list")
        assert listed.code == 0 and f"{invoice['payment_hash']}  credited          5000 sat  Lightning" in listed.out
        assert "fee 20000 msat" in listed.out and other["payment_hash"] not in listed.out
        explained = run("deposits", "explain", invoice["payment_hash"])
        assert explained.code == 0 and "Booked: lightning_deposit, 5000 satoshis" in explained.out
        assert "Booked: lightning_fee, 20 satoshis" in explained.out
        waiting = run("deposits", "explain", other["payment_hash"])
        assert waiting.code == 0 and "open" in waiting.out
        unknown = run("deposits", "explain", "0" * 64)
        assert unknown.code == 1 and "no invoice with this payment hash, is known" in unknown.out
        assert run("verify").code == 0
