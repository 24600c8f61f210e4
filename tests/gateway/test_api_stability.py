"""The API keeps what docs/api.md promises, unless the changelog marks a breaking change."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from testing.api_changes import Change, breaking_changes
from testing.machine import ROOT

RELEASED = json.loads((ROOT / "docs" / "openapi-released.json").read_text())
PRESENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
PREDICT = ("/predict", "post")
REQUIRED = {"in": "query", "name": "x", "required": True, "schema": {}}


def marked(change: Change, changelog: str) -> bool:
    """Say whether a line of the changelog marks a breaking change of the operation, whose path it names."""
    lines = re.findall(r"^- \*\*Breaking:\*\* .*$", changelog, re.M)
    return any(re.search(rf"`(?:[A-Z]+ )?{re.escape(change.path)}[`?]", line) for line in lines)


def test_a_breaking_change_is_marked_in_the_changelog() -> None:
    since, found, _ = (ROOT / "CHANGELOG.md").read_text().partition(f"\n## {RELEASED['info']['version']} ")
    assert found, "no such release: copy docs/openapi.json to docs/openapi-released.json at each release"
    unmarked = [change for change in breaking_changes(RELEASED, PRESENT) if not marked(change, since)]
    assert unmarked == [], "mark each by a line of CHANGELOG.md: **Breaking:** … `METHOD /path` …"


def test_a_mark_names_the_path() -> None:
    change = Change("POST /experiments/{name}/start", "it is gone")
    assert marked(change, "- **Breaking:** `POST /experiments/NAME/start` is gone.")
    assert not marked(change, "- **Breaking:** `POST /experiments/NAME/stop` is gone.")
    assert not marked(change, "- `POST /experiments/NAME/start` is gone.")


def operation(document: Any, path: str, method: str) -> Any:
    return document["paths"][path][method]


def parameter(document: Any, name: str) -> Any:
    """Return a parameter of POST /predict."""
    (found,) = (each for each in operation(document, *PREDICT)["parameters"] if each["name"] == name)
    return found


def schema(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


def drop(members: Any, name: Any) -> None:
    members.remove(name) if isinstance(members, list) else members.pop(name)


BREAKS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda d: drop(d["paths"], "/predict"), "POST /predict: it is gone"),
    (lambda d: drop(operation(d, *PREDICT)["security"], {}), "POST /predict: it needs a key"),
    (lambda d: drop(operation(d, *PREDICT)["parameters"], parameter(d, "variant")),
     "POST /predict: the query parameter variant is gone"),
    (lambda d: operation(d, *PREDICT)["parameters"].append(REQUIRED),
     "POST /predict: the query parameter x is new and required"),
    (lambda d: parameter(d, "variant").update(schema={"type": "string", "enum": ["plain"]}),
     "POST /predict: query variant takes ['plain'] alone"),
    (lambda d: drop(operation(d, *PREDICT)["requestBody"]["content"], "image/png"),
     "POST /predict: bodies of image/png are no longer read"),
    (lambda d: drop(operation(d, *PREDICT)["responses"], "429"), "POST /predict: the status 429 is gone"),
    (lambda d: drop(schema(d, "PredictAnswer")["properties"], "version"), "POST /predict: 200/version is gone"),
    (lambda d: drop(schema(d, "PredictAnswer")["required"], "version"), "POST /predict: 200/version may be missing"),
    (lambda d: schema(d, "PredictAnswer")["properties"]["version"].update(type="string"),
     "POST /predict: 200/version was integer and is string"),
    (lambda d: schema(d, "PredictAnswer")["properties"]["version"].update(type="number"),
     "POST /predict: 200/version was integer and is number"),
    (lambda d: schema(d, "ImagePrediction")["properties"]["probabilities"]["items"].update(type=["number", "null"]),
     "POST /predict: 200/predictions/*/probabilities/* was number and is null"),
    (lambda d: schema(d, "FeedbackItem")["required"].append("source"), "POST /feedback: body/source is required"),
    (lambda d: drop(schema(d, "FeedbackItem")["properties"], "source"), "POST /feedback: body/source is gone"),
    (lambda d: drop(schema(d, "FeedbackItem")["properties"]["source"]["enum"], "audit"),
     "POST /feedback: body/source takes ['user', 'ground_truth'] alone"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "told"), BREAKS, ids=[told for _, told in BREAKS])
def test_a_breaking_change_is_found(change: Callable[[Any], Any], told: str) -> None:
    changed = copy.deepcopy(RELEASED)
    change(changed)
    assert told in [f"{each.operation}: {each.detail}" for each in breaking_changes(RELEASED, changed)]


def test_what_joins_breaks_nobody() -> None:
    changed = copy.deepcopy(RELEASED)
    changed["paths"]["/new"] = changed["paths"]["/predict"]
    operation(changed, *PREDICT)["parameters"].append({"in": "query", "name": "x", "schema": {"type": "string"}})
    operation(changed, *PREDICT)["requestBody"]["content"]["image/avif"] = {"schema": {"type": "string"}}
    schema(changed, "PredictAnswer")["properties"]["new"] = {"type": "string"}
    schema(changed, "PredictAnswer")["required"].append("new")
    schema(changed, "FeedbackItem")["properties"]["new"] = {"type": "string"}
    schema(changed, "FeedbackItem")["properties"]["label"]["type"] = ["string", "integer"]
    assert breaking_changes(RELEASED, changed) == []
