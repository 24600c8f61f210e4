"""Collect the PromQL expressions of deploy/observability/, and what they name."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from testing.machine import ROOT

FOLDER = ROOT / "deploy" / "observability"
VARIABLES = {"$__rate_interval": "5m", "$experiment": ".*"}  # of Grafana
# A grouping, which is for the metric that comes after it; or a metric and its matchers.
PART = re.compile(r"\bby \(([\w, ]+)\)|\b(gateway_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')


def rules() -> list[dict[str, Any]]:
    """Return all rules, alerts and records."""
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboards() -> list[dict[str, Any]]:
    """Return all dashboards."""
    return [json.loads(file.read_text()) for file in sorted(FOLDER.glob("dashboards/*.json"))]


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each panel, with the title of its dashboard and its own."""
    for board in dashboards():
        yield from ((f"{board['title']}: {panel['title']}", panel) for panel in board["panels"])


def expressions() -> list[tuple[str, str]]:
    """Return each expression, the adapter's too, with the name of its rule or panel."""
    found = [(str(rule.get("alert", rule.get("record"))), rule["expr"]) for rule in rules()]
    found += [(name, target["expr"]) for name, panel in panels() for target in panel["targets"]]
    adapter = yaml.safe_load((FOLDER / "prometheus-adapter.yml").read_text())
    found += [("adapter", rule["seriesQuery"]) for rule in adapter["rules"]["custom"]]
    return [(name, filled(expression)) for name, expression in found]


def filled(expression: str) -> str:
    """Return an expression with values in the place of Grafana's variables."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def selected(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric of ours that an expression names, with the labels that it asks for."""
    grouped: set[str] = set()
    for labels, name, matchers in PART.findall(expression):
        if labels:
            grouped = {label.strip() for label in labels.split(",")}
        else:
            yield name, set(MATCHER.findall(matchers)) | grouped
            grouped = set()
