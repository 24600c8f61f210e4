"""The containers as `docker compose up` runs them, with the embedded model server in TF Serving's place."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import requests

from testing.api import ADMIN, ADMIN_TOKEN
from testing.encoded import encode
from testing.machine import ROOT, free_port
from training.data import ImageSet, load

pytestmark = pytest.mark.docker
PROJECT = "dropserve-test"
FILES = ["docker-compose.yml", "docker-compose.embedded.yml", "tests/docker/host-network.yml"]
RAW = "application/octet-stream"
TURNED = 150  # images that the circle learns from
# The classic builder: engines without BuildKit have it, and it too knows the host's network.
CLASSIC_BUILDER = {"DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
LEARNING = {"GATEWAY_KEEP_LABELLED": "1000", "GATEWAY_ADMIN_TOKEN": ADMIN_TOKEN}


def compose(*arguments: str, **environment: str) -> str:
    """Run docker compose on the test's project and return what it prints."""
    files = [part for name in FILES for part in ("-f", name)]
    command = ["docker", "compose", "--project-name", PROJECT, "--project-directory", ".", *files, *arguments]
    environ = {**os.environ, **CLASSIC_BUILDER, **environment}
    return subprocess.run(
        command, cwd=ROOT, env=environ, text=True, stdout=subprocess.PIPE, timeout=1200, check=True
    ).stdout


def inspect(service: str) -> dict[str, Any]:
    """Return what Docker knows of a service's container, ended ones too."""
    (container,) = compose("ps", "-a", "-q", service).split()
    return json.loads(subprocess.check_output(["docker", "inspect", container]))[0]


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until `condition` holds; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The gateway's address, with everything up and the first variants answering."""
    address = f"127.0.0.1:{free_port()}"
    compose("--profile", "improve", "build")
    try:
        compose("up", "-d", "--no-build", DROPSERVE_PUBLISH=address, **LEARNING)
        until(lambda: is_ready(f"http://{address}"), 240)
        yield f"http://{address}"
    finally:
        print(compose("logs", "--no-color", "--tail=50"))
        compose("down", "--volumes", "--remove-orphans")


@pytest.fixture(scope="module")
def mnist() -> ImageSet:
    return load(ROOT / "data")


def png(mnist: ImageSet, index: int) -> bytes:
    return encode(mnist.test_images[index])


def predict(url: str, body: bytes, **query: str) -> requests.Response:
    return requests.post(f"{url}/predict", params=query, data=body, headers={"Content-Type": "image/png"}, timeout=30)


def variants_of(url: str) -> dict[str, Any]:
    return requests.get(f"{url}/variants", timeout=10).json()


def test_the_first_variants_answer_while_the_rest_is_trained(url: str, mnist: ImageSet) -> None:
    known = variants_of(url)
    assert [v["name"] for v in known["variants"]] == ["plain", "dropout", "l2", "dropout_l2"]
    assert predict(url, png(mnist, 0)).json()["variant"] == "plain"
    until(lambda: variants_of(url)["training"] is not None, 60)
    (champion,) = variants_of(url)["training"]["variants"]
    assert (champion["name"], champion["state"]) == ("champion", "training")


def test_every_variant_reads_a_posted_digit(url: str, mnist: ImageSet) -> None:
    until(lambda: variants_of(url)["default"] == "champion" and is_ready(url), 900)
    variants = variants_of(url)["variants"]
    assert [v["name"] for v in variants] == ["plain", "dropout", "l2", "dropout_l2", "champion"]
    for variant in variants:
        answer = predict(url, png(mnist, 0), variant=variant["name"]).json()
        assert answer["variant"] == variant["name"]
        assert answer["predictions"][0]["label"] == str(mnist.test_labels[0])


WRITABLE = {
    "training": {"/models", "/runs"},
    "training-rest": {"/models", "/runs"},
    "model-server": set(),
    "database-password": {"/database-password"},
    "gateway": set(),
}


@pytest.mark.parametrize("service", WRITABLE)
def test_containers_have_no_more_rights_than_they_need(url: str, service: str) -> None:
    container = inspect(service)
    host = container["HostConfig"]
    assert container["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0
    assert host["LogConfig"]["Config"].keys() == {"max-size", "max-file"}
    writable = {mount["Destination"] for mount in container["Mounts"] if mount["RW"]}
    assert writable == WRITABLE[service]


def test_only_the_gateway_is_published(url: str) -> None:
    assert not any(inspect("model-server")["NetworkSettings"]["Ports"].values())
    assert inspect("gateway")["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostIp"] == "127.0.0.1"


def test_the_database_asks_for_a_password_of_its_own(url: str) -> None:
    """Ask from the gateway, which shares a network with the database."""
    ask = "import psycopg; psycopg.connect(host='database', user='dropserve')"
    compose("exec", "-T", "gateway", "python", "-c", ask)
    for given in ("dropserve", ""):
        with pytest.raises(subprocess.CalledProcessError):
            compose("exec", "-T", "-e", "PGPASSFILE=/none", "-e", f"PGPASSWORD={given}", "gateway", "python", "-c", ask)


def test_a_killed_model_server_comes_back(url: str, mnist: ImageSet) -> None:
    os.kill(inspect("model-server")["State"]["Pid"], signal.SIGKILL)
    down = predict(url, png(mnist, 0))
    assert down.status_code == 503
    assert int(down.headers["Retry-After"]) > 0
    assert down.headers["Content-Type"] == "application/problem+json"
    until(lambda: is_ready(url), 60)
    assert predict(url, png(mnist, 0)).json()["predictions"][0]["label"] == str(mnist.test_labels[0])
    assert inspect("model-server")["RestartCount"] == 1


def test_a_second_up_trains_nothing(url: str) -> None:
    compose("up", "-d", "--no-build", "training-rest", DROPSERVE_PUBLISH=url.removeprefix("http://"))
    until(lambda: inspect("training-rest")["State"]["Status"] == "exited", 60)
    assert inspect("training-rest")["State"]["ExitCode"] == 0
    assert "nothing to train" in compose("logs", "--no-color", "--tail=5", "training-rest")


@pytest.fixture(scope="module")
def labelled(url: str, mnist: ImageSet) -> list[str]:
    """Predictions of digits that lie on their side, which variants misread, with a label each."""
    given = [
        requests.post(f"{url}/predict", np.rot90(image).tobytes(), headers={"Content-Type": RAW}, timeout=30).json()
        for image in mnist.train_images[:TURNED]
    ]
    items = [
        {"prediction_id": answer["predictions"][0]["id"], "label": str(label), "source": "ground_truth"}
        for answer, label in zip(given, mnist.train_labels, strict=False)
    ]
    requests.post(f"{url}/feedback", json={"items": items}, headers=ADMIN, timeout=30).raise_for_status()
    until(lambda: requests.get(f"{url}/learning", headers=ADMIN, timeout=10).json()["labelled"] == TURNED, 60)
    return [item["prediction_id"] for item in items]


def learned(url: str) -> dict[str, Any]:
    """Return the facts about the labels of each variant that learned from some, by its name."""
    return {v["name"]: v["training"]["labels"] for v in variants_of(url)["variants"] if "labels" in v["training"]}


def test_labels_teach_a_candidate_and_draft_its_experiment(url: str, labelled: list[str]) -> None:
    steps = "labels", "adapt", "propose"
    compose("--profile", "improve", "up", "--no-build", *steps)
    assert {step: inspect(step)["State"]["ExitCode"] for step in steps} == dict.fromkeys(steps, 0)
    until(lambda: "adapted" in learned(url), 60)
    facts = learned(url)["adapted"]
    assert facts["sources"] == {"ground_truth": facts["images"]}
    (draft,) = requests.get(f"{url}/experiments", headers=ADMIN, timeout=10).json()["experiments"]
    assert (draft["name"], draft["status"]) == ("adapted_v1", "draft")
    assert [arm["variant"] for arm in draft["arms"]] == ["champion", "adapted"]


def test_a_forgotten_image_takes_its_set_along(url: str, labelled: list[str]) -> None:
    assert learned(url)["adapted"]["exists"] is True
    forgotten = {"prediction_id": labelled[0]}
    answer = requests.post(f"{url}/learning/forget", json=forgotten, headers=ADMIN, timeout=30)
    assert answer.json()["images"] == 1
    compose("--profile", "improve", "run", "--rm", "adapt", "sets", "--labels=/labels", "--models=/models")
    until(lambda: learned(url)["adapted"]["exists"] is False, 60)


def test_labels_can_be_trusted(url: str, labelled: list[str]) -> None:
    arguments = "--trust-labels", "--seed=2", "--labels=/labels", "--models=/models", "--runs=/runs"
    compose("--profile", "improve", "run", "--rm", "adapt", "adapt", *arguments)
    until(lambda: any(facts["exists"] for facts in learned(url).values()), 60)
