"""Prometheus itself reads our rules, and each alert about ourselves fires when it should."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/prometheus"
GROUPS = yaml.safe_load((FOLDER / "rules.yml").read_text(encoding="utf-8"))["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
FILES = sorted(FOLDER.glob("rules*_test.yml"))
TESTS = [
    case for file in FILES for case in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]
]


def promtool(*arguments: str) -> str:
    """Run the real promtool; its exit status is the verdict, its words are the reason."""
    program = shutil.which("promtool")
    if program is None:
        pytest.fail("promtool is not on PATH; `vigie servers install` installs it", pytrace=False)
    ran = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    return said


@pytest.mark.servers
def test_prometheus_accepts_the_configuration_and_the_rules_in_it() -> None:
    said = promtool("check", "config", str(FOLDER / "prometheus.yml"))
    assert f"{sum(len(group['rules']) for group in GROUPS)} rules found" in said


@pytest.mark.servers
def test_each_alert_fires_when_it_should_and_only_then() -> None:
    assert len(FILES) > 1
    assert "FAILED" not in promtool("test", "rules", *map(str, FILES))


@pytest.mark.servers
def test_prometheus_reads_the_targets_of_the_containers(tmp_path: Path) -> None:
    for name in ("prometheus.yml", "rules.yml"):
        shutil.copy(FOLDER / name, tmp_path)
    shutil.copytree(ROOT / "deploy/compose/targets", tmp_path / "targets")
    assert "WARNING" not in promtool("check", "config", str(tmp_path / "prometheus.yml"))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_loud_what_why_and_what_to_do(alert: dict[str, dict[str, str]]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    page, anchor = alert["annotations"]["runbook"].split("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor == str(alert["alert"]).lower()
    assert anchor in {heading.lower() for heading in headings}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_has_a_firing_and_a_quiet_case(alert: dict[str, str]) -> None:
    name = alert["alert"]
    fires = quiet = False
    for case in TESTS:
        checks = [
            check.get("exp_samples", check.get("exp_alerts"))
            for check in (*case.get("promql_expr_test", []), *case.get("alert_rule_test", []))
            if name in (check.get("alertname") or check["expr"])
        ]
        fires = fires or any(checks)
        quiet = quiet or any(expected == [] for expected in checks)
    assert (fires, quiet) == (True, True)


def test_no_section_of_the_runbook_is_about_an_alert_that_is_gone() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == {str(a["alert"]) for a in ALERTS}
