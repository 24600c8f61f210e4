"""Have a real Prometheus scrape a real gateway by the files of deploy/observability/."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from testing.fake_model_server import FakeModelServer
from testing.http_load import post
from testing.machine import free_port
from testing.manifest import MANIFEST
from testing.open_loop import Load
from testing.promql import FOLDER, expressions, rules
from testing.running_gateway import WarmGateway
from testing.waiting import PATIENCE, eventually

pytestmark = [
    pytest.mark.manifests,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="prometheus is not installed; on Debian: apt-get install prometheus"
    ),
]

# What a gateway shows that answers predictions and knows no experiment.
ANSWERED = ("Traffic", "Images", "Answers by status", "Latency of predictions", "Latency of the model server",
            "Batches", "Queue", "Calls to the model server by status", "Store", "Images to learn from")  # fmt: skip


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that scrapes a gateway under a small load each second."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    server = FakeModelServer()
    try:
        with WarmGateway(folder, server.address, quiet=True, workers=1) as gateway:
            process, url = start(folder, gateway.port)
            try:
                load = Load(gateway.port, [post("/predict", bytes(784), "application/octet-stream")], 4, 50)
                eventually(lambda: load.run(0.5).statuses and asked(url, "rate(gateway_requests_total[1m]) > 0"))
                assert load.finish(PATIENCE).errors == 0
                yield url
            finally:
                process.terminate()
                process.wait(PATIENCE)
    finally:
        server.stop()


def start(folder: Path, port: int) -> tuple[subprocess.Popen[bytes], str]:
    """Start a Prometheus by the configuration, but for how it finds the gateway, and how often it looks."""
    configuration = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(FOLDER / "rules.yml")]
    (job,) = configuration["scrape_configs"]
    assert job.pop("dns_sd_configs")[0]["port"] == 8080
    job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{free_port()}"
    flags = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": address,
    }
    with (folder / "log").open("wb") as log:
        command = ["prometheus", *(f"--{name}={value}" for name, value in flags.items())]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    eventually(lambda: ready(f"http://{address}"), "Prometheus")
    return process, f"http://{address}"


def ready(url: str) -> bool:
    """Say whether a Prometheus answers."""
    try:
        return requests.get(f"{url}/-/ready", timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False


def asked(url: str, expression: str) -> list[Any]:
    """Return the result of an expression now."""
    answer = requests.get(f"{url}/api/v1/query", {"query": expression}, timeout=PATIENCE).json()
    assert answer["status"] == "success", f"{expression}: {answer}"
    result: list[Any] = answer["data"]["result"]
    return result


def test_every_rule_is_evaluated(prometheus: str) -> None:
    def seen() -> list[Any] | None:
        groups = requests.get(f"{prometheus}/api/v1/rules", timeout=PATIENCE).json()["data"]["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        return found if all(rule["health"] != "unknown" for rule in found) else None

    found = eventually(seen, "the rules")
    assert found is not None
    assert {rule["name"] for rule in found} == {rule.get("alert", rule.get("record")) for rule in rules()}
    assert [rule for rule in found if rule["health"] != "ok"] == []
    firing = {rule["name"] for rule in found if rule.get("state") == "firing"}
    assert firing == set()


def test_panels_show_what_the_gateway_does(prometheus: str) -> None:
    results = [(name, asked(prometheus, expression)) for name, expression in expressions()]
    shown = {name.rpartition(": ")[2] for name, result in results if result}
    assert set(ANSWERED) <= shown


def test_the_gateway_answers_prometheus_by_its_address(prometheus: str) -> None:
    (up,) = asked(prometheus, 'up{job="dropserve"}')
    assert up["value"][1] == "1"
