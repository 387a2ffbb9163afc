"""The alerts and the dashboard in deploy/monitoring use metrics that the service has."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from dtmf import DTMF
from dtmf_server.runtime import metrics
from dtmf_server.runtime.context import Runtime
from support.paths import ROOT
from support.webhook_steps import ON_SQLITE, rent

MONITORING = ROOT / "deploy/monitoring"
_metric = re.compile(r"\bdtmf_[a-z0-9_]+").findall
# Only with a real chain, node or carrier, or with prices in a currency; their own tests scrape them.
ELSEWHERE = ("dtmf_chain_", "dtmf_lightning_", "dtmf_carrier_", "dtmf_rate_")


def scraped(runtime: Runtime) -> dict[str, dict[str, float]]:
    """Return the value of each label set by the name of the sample."""
    registry = CollectorRegistry()
    for collector in metrics.collectors(runtime):
        registry.register(collector)
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        found.setdefault(family.name + "_total" * (family.type == "counter"), {})
        for sample in family.samples:
            found.setdefault(sample.name, {})[" ".join(sample.labels.values())] = sample.value
    return found


@ON_SQLITE
def test_alerts_and_dashboard_name_only_metrics_that_exist(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "folder", tmp_path)
    exist = scraped(runtime)
    used = {name for path in MONITORING.iterdir() for name in _metric(path.read_text())}
    assert len(used) > 20
    assert [name for name in sorted(used) if name not in exist and not name.startswith(ELSEWHERE)] == []


def test_the_dashboard_is_a_dashboard() -> None:
    dashboard: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 12
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert all(panel["targets"] and panel["title"] for panel in panels)


def test_money_stock_workers_and_responses_are_measured(dtmf: DTMF, runtime: Runtime) -> None:
    before = scraped(runtime)
    rent(dtmf)
    dtmf.usage()
    after = scraped(runtime)
    assert after["dtmf_accounts"][""] >= 1
    assert after["dtmf_numbers_rented"]["free"] == before["dtmf_numbers_rented"]["free"] + 1
    assert after["dtmf_numbers_free"]["free"] == before["dtmf_numbers_free"]["free"] - 1
    assert after["dtmf_liability_satoshis"][""] == dtmf.usage()["balance"]
    responses = "dtmf_http_responses_total"
    assert after[responses]["2xx"] >= before[responses]["2xx"] + 2
    assert after["dtmf_workers_failing"][""] == 0
    runtime.troubles["carriers"] = "no route to host"
    try:
        assert scraped(runtime)["dtmf_worker_failing"] == {"carriers": 1}
    finally:
        del runtime.troubles["carriers"]


@pytest.mark.parametrize("status", [0, 99, 200, 503, 600])
def test_a_response_without_a_status_is_not_counted(status: int) -> None:
    metrics.count_response(status)
