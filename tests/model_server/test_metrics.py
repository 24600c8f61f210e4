import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.model_server.metrics import Metrics


def samples(page: str, name: str) -> list[tuple[dict[str, str], float]]:
    families = text_string_to_metric_families(page)
    return [(sample.labels, sample.value) for family in families for sample in family.samples if sample.name == name]


def test_requests_are_counted_by_model_and_status() -> None:
    metrics = Metrics()
    for status in ("OK", "OK", "NOT_FOUND"):
        metrics.record("a", "Predict", "GRPC", status, 0.001)
    page = metrics.render().decode()
    assert "# TYPE :tensorflow:serving:request_count counter\n" in page
    assert ':tensorflow:serving:request_count{model_name="a",status="OK"} 2.0\n' in page
    assert ':tensorflow:serving:request_count{model_name="a",status="NOT_FOUND"} 1.0\n' in page


def test_latencies_are_cumulative_microseconds_of_successes() -> None:
    metrics = Metrics()
    metrics.record("a", "Predict", "REST", "OK", 10e-6)
    metrics.record("a", "Predict", "REST", "OK", 12e-6)
    metrics.record("a", "Predict", "REST", "OK", 1e9)
    metrics.record("a", "Predict", "REST", "INTERNAL", 12e-6)
    page = metrics.render().decode()
    assert "# TYPE :tensorflow:serving:request_latency histogram\n" in page
    labels = {"model_name": "a", "API": "Predict", "entrypoint": "REST"}
    assert samples(page, ":tensorflow:serving:request_latency_count") == [(labels, 3)]
    assert samples(page, ":tensorflow:serving:request_latency_sum") == [(labels, 10 + 12 + 1e15)]
    buckets = [(float(at["le"]), count) for at, count in samples(page, ":tensorflow:serving:request_latency_bucket")]
    assert buckets[:2] == [(10, 1), (18, 2)]
    assert buckets[-2:] == [(pytest.approx(10 * 1.8**32), 2), (math.inf, 3)]


def test_the_page_has_no_other_series() -> None:
    metrics = Metrics()
    metrics.record("a", "Predict", "REST", "OK", 1)
    families = {family.name for family in text_string_to_metric_families(metrics.render().decode())}
    assert families == {":tensorflow:serving:request_count", ":tensorflow:serving:request_latency"}


def test_names_are_escaped() -> None:
    metrics = Metrics()
    metrics.record('a"\\\n', "Predict", "GRPC", "OK", 1)
    [(labels, _)] = samples(metrics.render().decode(), ":tensorflow:serving:request_latency_count")
    assert labels["model_name"] == 'a"\\\n'
