"""The whole path as a user has it: models trained here, `python -m serving` over them, answers by HTTP."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import requests

from testing.digits import digits
from testing.machine import ROOT, free_port
from testing.waiting import PATIENCE, eventually
from tests.conftest import Serving, ended_on_failure, start_serving, train_again

pytestmark = pytest.mark.slow
IMAGES, LABELS = digits(500, seed=2)  # the image set's own test digits


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


def test_a_signal_stops_both_services_in_order(models_dir: Path, tmp_path: Path) -> None:
    models = shutil.copytree(models_dir, tmp_path / "models")
    service = start_serving(models)
    with ended_on_failure(service.process), service.process as process:
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{service.url}/healthz", timeout=PATIENCE)


def test_a_service_that_cannot_start_ends_the_other(models_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serving", "--models", models_dir],
        cwd=ROOT,
        env={**os.environ, "GATEWAY_PORT": str(free_port()), "MODEL_SERVER_NUM_LOAD_THREADS": "few"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "serving: the model server ended by itself, exit code" in done.stderr


def test_serving_nothing_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serving", "--models", tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == f"serving: there is no models.config in {tmp_path}; train first: make train\n"
