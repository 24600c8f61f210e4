"""The whole path as a user has it: models trained here, `python -m serving` over them, answers by HTTP."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests

from testing.digits import digits
from testing.machine import ROOT, free_port
from testing.waiting import eventually
from tests.conftest import Serving, end, ended_on_failure, start_serving, train_again
from training import publish

pytestmark = pytest.mark.slow
PATIENCE = 180  # seconds, for a training job on a busy machine
IMAGES, LABELS = digits(500, seed=2)  # the image set's own test digits
FIRST = ["plain", "dropout", "l2", "dropout_l2"]  # the variants of the recipe that is trained first


def manifest(models: Path) -> dict:
    return json.loads((models / "manifest.json").read_text())


@pytest.mark.parametrize("variant", ["plain", "dropout", "l2", "dropout_l2", "champion"])
def test_each_variant_answers_as_well_as_its_manifest_says(serving: Serving, variant: str) -> None:
    answer = requests.post(
        f"{serving.url}/predict",
        params={"variant": variant},
        data=IMAGES.tobytes(),
        headers={"Content-Type": "application/octet-stream"},
        timeout=PATIENCE,
    ).json()
    right = sum(int(p["label"]) == label for p, label in zip(answer["predictions"], LABELS, strict=True))
    (stated,) = (v["test"]["accuracy"] for v in manifest(serving.models)["variants"] if v["name"] == variant)
    assert right == round(stated * len(LABELS))
    assert answer["variant"] == variant


def test_every_body_form_of_the_same_pixels_gets_the_same_answer(serving: Serving) -> None:
    as_list = requests.post(f"{serving.url}/predict", json={"instances": IMAGES[:3].tolist()}, timeout=PATIENCE).json()
    as_bytes = requests.post(
        f"{serving.url}/predict",
        data=IMAGES[:3].tobytes(),
        headers={"Content-Type": "application/octet-stream"},
        timeout=PATIENCE,
    ).json()
    for a, b in zip(as_list["predictions"], as_bytes["predictions"], strict=True):
        np.testing.assert_allclose(a["probabilities"], b["probabilities"], atol=1e-5)


def test_no_other_user_of_the_machine_reaches_the_model_server(serving: Serving) -> None:
    (server,) = (p for p in psutil.Process(serving.process.pid).children() if "serving.model_server" in p.cmdline())
    assert [each for each in server.net_connections("inet") if each.status == psutil.CONN_LISTEN] == []
    (socket,) = {str(each.laddr) for each in server.net_connections("unix") if each.laddr}
    assert stat.S_IMODE(os.stat(socket).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(socket)).st_mode) == 0o700


def test_a_new_training_run_under_load_fails_no_request(serving: Serving, digits_dir: Path) -> None:
    stop, answers = threading.Event(), []

    def ask() -> None:
        body = {"instances": IMAGES[:1].tolist()}
        with requests.Session() as session:
            while not stop.wait(0.01):
                answer = session.post(f"{serving.url}/predict", json=body, timeout=PATIENCE)
                answers.append((answer.status_code, answer.json().get("version")))

    default = manifest(serving.models)["default"]
    (before,) = (v["version"] for v in manifest(serving.models)["variants"] if v["name"] == default)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        train_again(digits_dir, serving.models, f"--variants={default}")
        eventually(lambda: answers and answers[-1][1] == before + 1, "an answer of the new version")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {status for status, _ in answers} == {200}
    assert {version for _, version in answers} == {before, before + 1}


def training_run(service: Serving) -> Any:
    return requests.get(f"{service.url}/variants", timeout=10).json()["training"]


def test_the_first_variants_answer_while_the_next_is_trained_and_when_its_job_is_stopped(
    digits_dir: Path, tmp_path: Path
) -> None:
    job = ("--train", f"--data={digits_dir}", f"--runs={tmp_path}/runs", "--epochs=1", "--draws=100000", "--nice=0")
    service = start_serving(tmp_path / "models", *job)

    def serves_the_first() -> None:
        assert requests.get(f"{service.url}/readyz", timeout=10).status_code == 200
        assert [v["name"] for v in manifest(service.models)["variants"]] == FIRST
        answer = requests.post(f"{service.url}/predict", json={"instances": IMAGES[:1].tolist()}, timeout=10)
        assert (answer.status_code, answer.json()["variant"]) == (200, "plain")

    with service.process, ended_on_failure(service.process):
        serves_the_first()
        (champion,) = eventually(lambda: training_run(service), "progress in /variants", seconds=PATIENCE)["variants"]
        assert (champion["name"], champion["steps"]) == ("champion", 100_000 * 2 * 11)
        (training,) = (p for p in psutil.Process(service.process.pid).children() if "training" in p.cmdline())
        training.terminate()
        eventually(lambda: training_run(service)["state"] == "stopped", "the job to stop", seconds=PATIENCE)
        serves_the_first()
        assert end(service.process) == 0


def test_serving_moves_on_to_a_new_default_without_a_failed_request(
    digits_dir: Path, models_dir: Path, tmp_path: Path
) -> None:
    models = shutil.copytree(models_dir, tmp_path / "models")
    without = manifest(models) | {"default": "plain"}
    without["variants"] = [v for v in without["variants"] if v["name"] in FIRST]
    (models / "manifest.json").write_text(json.dumps(without))
    shutil.rmtree(models / "champion")
    job = ("--train", f"--data={digits_dir}", f"--runs={tmp_path}/runs", "--epochs=1", "--draws=2", "--nice=0")
    service = start_serving(models, *job)
    answered: list[tuple[int, str]] = []

    def by_the_champion() -> bool:
        answer = session.post(f"{service.url}/predict", json={"instances": IMAGES[:1].tolist()}, timeout=10)
        answered.append((answer.status_code, answer.headers.get("X-Variant", "")))
        return answered[-1] == (200, "champion")

    with service.process, requests.Session() as session:
        try:
            eventually(by_the_champion, "the champion to answer", seconds=PATIENCE)
        finally:
            service.process.terminate()
    assert answered[0] == (200, "plain")
    assert {status for status, _ in answered} == {200}


def test_a_training_job_that_publishes_nothing_ends_all(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serving", "--models", tmp_path / "models", "--train", f"--data={tmp_path}"],
        cwd=ROOT, env={**os.environ, "GATEWAY_PORT": str(free_port())},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"training: {tmp_path}: expected mnist.npz or the IDX files" in done.stderr
    assert "serving: the training job ended by itself, exit code 2" in done.stderr


@pytest.mark.parametrize(
    ("host", "number"), [("0.0.0.0", signal.SIGINT), ("[::]", signal.SIGHUP)], ids=["Ctrl-C", "a closed terminal"]
)
def test_settings_of_the_last_release_start_and_a_signal_stops_both_services_in_order(
    models_dir: Path, tmp_path: Path, host: str, number: signal.Signals
) -> None:
    """A proxy that the environment names reaches neither service."""
    models = shutil.copytree(models_dir, tmp_path / "models")
    publish.refresh_config(models)
    proxy = f"http://127.0.0.1:{free_port()}"
    service = start_serving(models, GATEWAY_HOST=host, GATEWAY_MODEL_SERVER="127.0.0.1:8500", http_proxy=proxy)
    with service.process as process, ended_on_failure(process):
        process.send_signal(number)
        assert process.wait() == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{service.url}/healthz", timeout=PATIENCE)


def test_a_version_that_cannot_be_loaded_ends_both_and_is_named(models_dir: Path, tmp_path: Path) -> None:
    models = shutil.copytree(models_dir, tmp_path / "models")
    publish.refresh_config(models)
    version = manifest(models)["variants"][0]["version"]
    (models / "plain" / str(version) / "saved_model.pb").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "serving", "--models", models], cwd=ROOT,
        env={**os.environ, "GATEWAY_PORT": str(free_port())}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"{{name: plain version: {version}}} due to error" in done.stderr
    assert "serving: the model server ended by itself, exit code 255" in done.stderr


def test_serving_nothing_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serving", "--models", tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == f"serving: there is no models.config in {tmp_path}; train first: make train\n"
