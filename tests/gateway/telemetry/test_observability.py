"""Compare deploy/observability/ with the metrics that a gateway shows."""

from collections import defaultdict

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from testing.fake_model_server import FakeModelServer, shifted
from testing.promql import expressions, selected
from testing.traffic import PAIRED, predict, report, start
from testing.waiting import eventually
from tests.gateway.conftest import MakeClient

OF_PROMETHEUS = {"instance", "namespace", "pod"}  # labels that it adds to every metric
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def client(make_client: MakeClient) -> FlaskClient:
    return make_client(webhook_url="http://192.0.2.1/", webhook_secret=SECRET)


def scraped(client: FlaskClient) -> dict[str, set[str]]:
    """Return the labels of each metric, by the names of its samples."""
    found = defaultdict[str, set[str]](set)
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found[sample.name] |= sample.labels.keys()
    return found


def test_rules_and_dashboards_name_metrics_and_labels_that_exist(
    client: FlaskClient, fake_server: FakeModelServer
) -> None:
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    start(client, PAIRED)
    predict(client, 3)
    eventually(lambda: report(client)["counts"]["disagreements"] == 1)
    metrics = client.application.extensions["gateway"].metrics
    metrics.refused("in_flight")
    metrics.circuit("plain", "open")
    there = scraped(client)
    assert {"gateway_requests_total", "gateway_experiment_labels_waiting"} <= there.keys()
    for name, expression in expressions():
        for metric, labels in selected(expression):
            assert metric in there, f"{name} asks for {metric}, which no gateway shows"
            missing = labels - there[metric] - OF_PROMETHEUS
            assert not missing, f"{name} asks for {missing} of {metric}, which has {there[metric]}"


def test_no_expression_names_a_bucket_as_prometheus_client_does_not() -> None:
    """It writes `le="1.0"`, which `le="1"` never matches."""
    assert [name for name, expression in expressions() if 'le="' in expression.replace('le="+Inf"', "")] == []
