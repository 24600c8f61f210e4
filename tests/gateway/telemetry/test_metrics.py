import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from serving.gateway.telemetry.metrics import Metrics
from testing.machine import ROOT


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def lines(metrics: Metrics) -> set[str]:
    return set(metrics.text().decode().splitlines())


def test_calls_to_the_model_server_are_counted_by_status_and_timed(metrics: Metrics) -> None:
    metrics.model_server_call("plain", "OK", 0.003, 16)
    metrics.model_server_call("plain", "UNAVAILABLE", 2.5, 1)
    assert {
        'gateway_model_server_calls_total{status="OK",variant="plain"} 1.0',
        'gateway_model_server_calls_total{status="UNAVAILABLE",variant="plain"} 1.0',
        'gateway_model_server_seconds_bucket{le="0.005",variant="plain"} 1.0',
        'gateway_model_server_seconds_count{variant="plain"} 2.0',
        'gateway_batch_images_sum{variant="plain"} 17.0',
    } <= lines(metrics)


@pytest.mark.parametrize(("state", "value"), [("closed", 0), ("half_open", 1), ("open", 2)])
def test_the_state_of_a_circuit(metrics: Metrics, state: str, value: int) -> None:
    metrics.circuit("plain", state)
    assert f'gateway_circuit_state{{variant="plain"}} {value}.0' in lines(metrics)


def test_what_waits_and_what_was_turned_away(metrics: Metrics) -> None:
    metrics.in_flight(3)
    metrics.queued(70)
    metrics.queued(64)
    metrics.refused("in_flight")
    assert {
        "gateway_in_flight 3.0",
        "gateway_queued_images 64.0",
        'gateway_refused_total{reason="in_flight"} 1.0',
    } <= lines(metrics)


def test_the_text_is_merged_once_a_second_however_many_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    merges: list[list[str]] = []
    merge = MultiProcessCollector.merge

    def counted(files: list[str]) -> Iterable[Metric]:
        merges.append(files)
        return merge(files)

    monkeypatch.setattr(MultiProcessCollector, "merge", counted)
    seconds = iter([0.0] * 100)
    metrics = Metrics(lambda: next(seconds, 1.0))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: metrics.text(), range(90)))
    assert len(merges) == 1
    for _ in range(20):
        metrics.text()
    assert len(merges) == 2


WITHOUT_ROOM = """
import resource
from serving.gateway.telemetry.metrics import Metrics

metrics = Metrics()
metrics.answered([("/first", "plain", "7", 200, 0.1, 1)])
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, most))
metrics.circuit("plain", "open")  # the first of its kind, which takes a file
for number in range(2000):  # more than fits into the file of the others
    metrics.answered([(f"/{number}", "plain", "7", 200, 0.1, 1)])
metrics.answered([("/first", "plain", "7", 200, 0.1, 1)])
print(metrics.text().decode())
"""


@pytest.mark.slow
def test_no_request_fails_where_there_is_no_room_for_metrics(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", WITHOUT_ROOM]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert 'gateway_requests_total{path="/first",status="200",variant="plain",version="7"} 2.0' in ended.stdout
    assert ended.stderr.count("metrics are incomplete from now on: there is no room for them: ") == 1
