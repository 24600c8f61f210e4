"""Every operation of the API by every caller: the table of roles, written by hand."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.access.api_keys import Scope, digest
from serving.gateway.access.roles import ROLES, Role, role_of
from testing.api import ADMIN, json_of
from testing.machine import ROOT
from tests.gateway.conftest import MakeClient

ANYONE, CLIENT, READER, LABELLER = "anyone", "client", "reader", "labeller"
MONITOR, ADMINISTRATOR = "monitor", "administrator"
CLOSED = (LABELLER, ADMINISTRATOR)  # in any case
EXPECTED = {
    "GET /healthz": ANYONE,
    "GET /readyz": ANYONE,
    "GET /variants": ANYONE,
    "GET /v2": ANYONE,
    "GET /v2/health/live": ANYONE,
    "GET /v2/health/ready": ANYONE,
    "GET /v2/models/{name}": ANYONE,
    "GET /v2/models/{name}/ready": ANYONE,
    "GET /v2/models/{name}/versions/{version}": ANYONE,
    "GET /v2/models/{name}/versions/{version}/ready": ANYONE,
    "POST /predict": CLIENT,
    "POST /compare": CLIENT,
    "POST /feedback": CLIENT,
    "POST /v2/models/{name}/infer": CLIENT,
    "POST /v2/models/{name}/versions/{version}/infer": CLIENT,
    "POST /ofrep/v1/evaluate/flags": CLIENT,
    "POST /ofrep/v1/evaluate/flags/{key}": CLIENT,
    "GET /feedback/{prediction_id}": READER,
    "GET /experiments": READER,
    "GET /experiments/{name}": READER,
    "GET /experiments/{name}/report": READER,
    "GET /experiments/{name}/breakdown": READER,
    "GET /experiments/{name}/disagreements": READER,
    "GET /variants/promotions": READER,
    "GET /events": READER,
    "GET /learning": READER,
    "POST /experiments/{name}/exposures": LABELLER,
    "GET /metrics": MONITOR,
    "POST /experiments": ADMINISTRATOR,
    "POST /experiments/plan": ADMINISTRATOR,
    "POST /experiments/{name}/weights": ADMINISTRATOR,
    "POST /experiments/{name}/start": ADMINISTRATOR,
    "POST /experiments/{name}/pause": ADMINISTRATOR,
    "POST /experiments/{name}/resume": ADMINISTRATOR,
    "POST /experiments/{name}/stop": ADMINISTRATOR,
    "POST /experiments/{name}/archive": ADMINISTRATOR,
    "POST /variants/{name}/promote": ADMINISTRATOR,
    "POST /variants/rollback": ADMINISTRATOR,
    "POST /learning/forget": ADMINISTRATOR,
}
PAGES = dict.fromkeys(("GET /", "GET /docs", "GET /openapi.json", "GET /study"), ANYONE)  # not in the document

OPENED = {
    "nobody": {ANYONE},
    "predict": {ANYONE, CLIENT},
    "read": {ANYONE, READER},
    "label": {ANYONE, CLIENT, READER, LABELLER},
    "metrics": {ANYONE, MONITOR},
    "admin": {ANYONE, CLIENT, READER, LABELLER, MONITOR, ADMINISTRATOR},
    "token": {ANYONE, CLIENT, READER, LABELLER, MONITOR, ADMINISTRATOR},
}
HEADERS: dict[str, dict[str, str]] = {
    "nobody": {},
    "token": ADMIN,
    **{scope: {"Authorization": f"Bearer {scope} key"} for scope in Scope},
}
KEYS = {scope: f"{scope}:{digest(f'{scope} key')}" for scope in Scope}
PASSED = 0


def operations(description: Any) -> set[str]:
    return {f"{method.upper()} {path}" for path, methods in description["paths"].items() for method in methods}


def statuses(client: FlaskClient, operation: str) -> dict[str, int]:
    """Return the status that each caller gets, PASSED for any but 401 and 403."""
    method, path = operation.split()
    path = path.format(name="test", prediction_id="x", version="7", key="test") if "{" in path else path
    asked = {who: client.open(path, method=method, headers=headers, json={}) for who, headers in HEADERS.items()}
    return {who: answer.status_code if answer.status_code in (401, 403) else PASSED for who, answer in asked.items()}


def test_every_operation_has_a_role_here(client: FlaskClient) -> None:
    assert operations(json_of(client.get("/openapi.json"))) == EXPECTED.keys()


def test_every_endpoint_has_a_role(client: FlaskClient) -> None:
    assert {rule.endpoint for rule in client.application.url_map.iter_rules()} == ROLES.keys()


def test_an_endpoint_without_a_role_is_the_administrators() -> None:
    assert role_of("new.endpoint") is Role.ADMINISTRATOR


@pytest.mark.parametrize("operation", EXPECTED)
def test_with_keys_of_every_scope(make_client: MakeClient, operation: str) -> None:
    role = EXPECTED[operation]
    refused = {who: 401 if who == "nobody" else 403 for who in OPENED}
    expected = {who: PASSED if role in opened else refused[who] for who, opened in OPENED.items()}
    assert statuses(make_client(api_keys=",".join(KEYS.values())), operation) == expected


@pytest.mark.parametrize("operation", EXPECTED)
def test_without_keys_only_administrators_and_labellers_are_asked_for_one(
    make_client: MakeClient, operation: str
) -> None:
    expected = dict.fromkeys(OPENED, PASSED)
    if EXPECTED[operation] in CLOSED:
        expected |= dict.fromkeys(HEADERS.keys() - {"token"}, 401)  # no key is known
    assert statuses(make_client(), operation) == expected


@pytest.mark.parametrize(
    ("scope", "closed"),
    [
        (Scope.PREDICT, {CLIENT, READER}),
        (Scope.READ, {READER}),
        (Scope.LABEL, {READER}),
        (Scope.METRICS, {MONITOR}),
        (Scope.ADMIN, set()),
    ],
)
def test_a_key_closes_what_it_is_for(make_client: MakeClient, scope: Scope, closed: set[str]) -> None:
    client = make_client(api_keys=KEYS[scope])
    for role, operation in {role: operation for operation, role in EXPECTED.items()}.items():
        expected = 401 if role in closed.union(CLOSED) else PASSED
        assert statuses(client, operation)["nobody"] == expected, role


@pytest.mark.parametrize(
    ("operation", "remedy"),
    [
        ("POST /predict", "a key of scope predict: 'make api-key ARGS=\"--scope predict\"' makes one."),
        ("GET /experiments", "a key of scope read: 'make api-key ARGS=\"--scope read\"' makes one."),
        ("GET /metrics", "a key of scope metrics: 'make api-key ARGS=\"--scope metrics\"' makes one."),
        (
            "POST /variants/rollback",
            "GATEWAY_ADMIN_TOKEN, or a key of scope admin: 'make api-key ARGS=\"--scope admin\"' makes one.",
        ),
    ],
)
def test_a_refusal_names_the_remedy(make_client: MakeClient, operation: str, remedy: str) -> None:
    client = make_client(api_keys=",".join(KEYS.values()))
    method, path = operation.split()
    other = "read" if "metrics" in path else "metrics"
    answers = [client.open(path, method=method, headers=HEADERS[who]) for who in ("nobody", other)]
    assert [(answer.status_code, json_of(answer)["detail"]) for answer in answers] == [
        (401, f"Send the header 'Authorization: Bearer KEY' with {remedy}"),
        (403, f"This key may not do this. Send {remedy}"),
    ]
    assert [answer.headers.get("WWW-Authenticate") for answer in answers] == ["Bearer", None]
    assert b'gateway_refused_total{reason="key"} 2.0' in client.get("/metrics", headers=ADMIN).data


def test_the_description_says_what_opens_each_operation(client: FlaskClient) -> None:
    for operation, role in EXPECTED.items():
        method, path = operation.split()
        described = json_of(client.get("/openapi.json"))["paths"][path][method.lower()].get("security", [{}])
        keys = [each["key"][0] for each in described if "key" in each]
        assert set(keys) == {scope for scope in Scope if role in OPENED[scope] - {ANYONE}}, operation
        assert ({} in described) is (role not in CLOSED), operation


def test_the_docs_have_the_same_table() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| ([a-z]+) \| ((?:`(?:GET|POST) /.*?`(?:, )?)+) \|", text, re.M)
    documented = {call: role for role, calls in rows for call in re.findall(r"`(.+?)`", calls)}
    placed = {
        re.sub(r"\{(?:\w+_)?(\w+)\}", lambda each: each[1].upper(), call): role for call, role in EXPECTED.items()
    }
    assert documented == placed | PAGES
