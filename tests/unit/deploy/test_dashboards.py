"""The dashboard is well made, and asks for nothing that our processes do not tell."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders_dashboard import VARIABLES, metrics, panels, queries

DEPLOY = Path(__file__).parents[3] / "deploy"
DASHBOARD = DEPLOY / "grafana/dashboards/vigie.json"
RULES = DEPLOY / "prometheus/rules.yml"
PANELS = [panel for panel in panels(DASHBOARD) if panel["type"] != "row"]

# The catalogue: what the processes promise to tell. A histogram is told as three series.
COUNTERS_AND_GAUGES = {
    "vigie_gateway_messages_received_total",
    "vigie_gateway_readings_accepted_total",
    "vigie_gateway_refused_total",
    "vigie_gateway_messages_safe_total",
    "vigie_gateway_unacknowledged_messages",
    "vigie_gateway_connected",
    "vigie_gateway_registry_revision",
    "vigie_gateway_readings_backfilled_total",
    "vigie_gateway_breaker",
    "vigie_gateway_flooding_devices",
    "vigie_gateway_wrong_clocks",
    "vigie_devices_connected",
    "vigie_devices_lost",
    "vigie_broker_messages_stored",
    "vigie_broker_messages_dropped",
    "vigie_worker_readings_total",
    "vigie_worker_lag_records",
    "vigie_worker_backfill_lag_records",
    "vigie_worker_backfill_last_commit_timestamp_seconds",
    "vigie_worker_last_commit_timestamp_seconds",
    "vigie_worker_dead_letters_total",
    "vigie_worker_ticks_failed_total",
    "vigie_worker_alert_events_total",
    "vigie_worker_partitions_assigned",
    "vigie_identity_ends_timestamp_seconds",
    "vigie_identity_devices_ending",
    "vigie_worker_lost_records_total",
    "vigie_alerts_open",
    "vigie_deliveries_total",
    "vigie_deliveries_due",
    "vigie_deliveries_withheld_total",
    "vigie_outbox_waiting",
    "vigie_outbox_relayed_total",
    "vigie_simulated_messages_total",
    "vigie_simulated_receipts_total",
}
HISTOGRAMS = {
    "vigie_gateway_publish_seconds",
    "vigie_worker_batch_seconds",
    "vigie_worker_batch_records",
    "vigie_worker_reading_age_seconds",
    "vigie_delivery_seconds",
}
# Told by prometheus-client about its process, and by Prometheus itself.
STANDARD = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "up",
    "ALERTS",
}
CATALOGUE = (
    COUNTERS_AND_GAUGES
    | {f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "sum", "count")}
    | STANDARD
)
GROUPS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
EXPRESSIONS = {
    rule.get("record") or rule["alert"]: rule["expr"] for g in GROUPS for rule in g["rules"]
}
RECORDED = {name for name in EXPRESSIONS if ":" in name}


def title(panel: dict[str, Any]) -> str:
    return str(panel["title"])


def test_the_dashboard_has_panels_and_no_id_or_title_twice() -> None:
    everything = list(panels(DASHBOARD))
    assert len(PANELS) > 20
    for key in ("id", "title"):
        assert [v for v, n in Counter(p[key] for p in everything).items() if n > 1] == []


@pytest.mark.parametrize("panel", PANELS, ids=title)
def test_every_panel_says_what_it_means_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("panel", PANELS, ids=title)
def test_every_panel_asks_the_provisioned_prometheus(panel: dict[str, Any]) -> None:
    provisioned = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    )["datasources"]
    assert panel["targets"]
    for part in (panel, *panel["targets"]):
        assert part["datasource"]["uid"] in {source["uid"] for source in provisioned}


@pytest.mark.parametrize("panel", PANELS, ids=title)
def test_no_two_panels_lie_on_one_another(panel: dict[str, Any]) -> None:
    def places(one: dict[str, Any]) -> set[tuple[int, int]]:
        at = one["gridPos"]
        columns = range(at["x"], at["x"] + at["w"])
        return {(x, y) for x in columns for y in range(at["y"], at["y"] + at["h"])}

    assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    others = [other for other in panels(DASHBOARD) if other is not panel and other != panel]
    assert [title(o) for o in others if places(o) & places(panel)] == []


def test_the_dashboard_asks_only_for_what_exists() -> None:
    asked = {name for _, expr in queries(DASHBOARD) for name in metrics(expr)}
    assert asked - CATALOGUE - RECORDED == set()


def test_the_rules_ask_only_for_what_exists() -> None:
    asked = {name for expr in EXPRESSIONS.values() for name in metrics(expr)}
    assert asked - CATALOGUE - RECORDED == set()


def test_no_query_keeps_a_variable_that_only_grafana_knows() -> None:
    assert VARIABLES
    assert [expr for _, expr in queries(DASHBOARD) if "$" in expr] == []
