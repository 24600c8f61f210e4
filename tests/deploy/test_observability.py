"""Check rules and dashboards by promtool, and that each alert has unit tests of both kinds."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from testing.promql import FOLDER, dashboards, expressions, panels, rules

promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed; on Debian: apt-get install prometheus"
)
ALERTS = [rule for rule in rules() if "alert" in rule]


def run(*arguments: str | Path) -> None:
    """Run promtool; fail with its words where it does."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@promtool
def test_alerts_fire_and_stay_silent_where_they_should() -> None:
    run("test", "rules", *sorted(FOLDER.glob("*_test.yml")))


@promtool
def test_prometheus_reads_its_configuration(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "rules.yml", tmp_path)
    text = (FOLDER / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus/", ""))
    run("check", "config", tmp_path / "prometheus.yml")


@promtool
def test_prometheus_reads_every_expression(tmp_path: Path) -> None:
    records = [{"record": f"expression_{number}", "expr": each} for number, (_, each) in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "all", "rules": records}]}))
    run("check", "rules", tmp_path / "rules.yml")


def test_every_alert_is_tested_where_it_fires_and_where_it_does_not() -> None:
    tests = [yaml.safe_load(file.read_text())["tests"] for file in FOLDER.glob("*_test.yml")]
    cases = [case for file in tests for test in file for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in ALERTS}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == names


def test_every_alert_has_a_severity_and_says_what_happens() -> None:
    assert {rule["labels"]["severity"] for rule in ALERTS} == {"critical", "warning", "info"}
    assert [rule["alert"] for rule in ALERTS if not rule["annotations"]["summary"].endswith(".")] == []


def test_records_that_are_used_exist() -> None:
    records = {rule["record"] for rule in rules() if "record" in rule}
    named = {word for _, each in expressions() for word in each.split() if word.startswith("dropserve:")}
    assert named == records


def test_dashboards_have_panels_of_their_own_place() -> None:
    assert len({board["uid"] for board in dashboards()}) == len(dashboards())
    for board in dashboards():
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(set(places)) == len(places) == len({panel["id"] for panel in board["panels"]})
    assert all(panel["targets"] for _, panel in panels())
