"""The manifest is replaced, truncated or missing, or a variant withdrawn."""

import json
import os
from pathlib import Path

import pytest
import requests

from testing.manifest import MANIFEST, variant
from testing.running_gateway import Gateway, WarmGateway
from testing.waiting import PATIENCE, eventually
from tests.gateway.faults.conftest import StandIn
from tests.gateway.faults.load import Load

pytestmark = pytest.mark.slow


def publish(folder: Path, **changes: object) -> None:
    """Replace the manifest as the training job does."""
    (folder / "new").write_text(json.dumps({**MANIFEST, **changes}))
    os.replace(folder / "new", folder / "manifest.json")


def test_what_happens_to_the_manifest_fails_no_request(gateway: Gateway, load: Load, manifest_folder: Path) -> None:
    file = manifest_folder / "manifest.json"
    publish(manifest_folder, default="dropout")
    eventually(lambda: load.variants()["dropout"] >= 50, "answers of the new default")
    for spoil in (lambda: os.truncate(file, 100), file.unlink):
        spoil()
        load.forget()
        load.sees(200, 50)
        assert set(load.variants()) == {"dropout"}
        assert requests.get(f"{gateway.url}/readyz", timeout=PATIENCE).status_code == 200
    publish(manifest_folder)
    eventually(lambda: load.variants()["plain"] >= 50, "answers of the newest default")
    assert set(load.statuses()) == {200}


def test_a_manifest_that_is_damaged_before_the_first_request_was_read_before(
    tmp_path: Path, model_server: StandIn
) -> None:
    publish(tmp_path)
    with WarmGateway(tmp_path, model_server.address, quiet=True, workers=1) as gateway:
        os.truncate(tmp_path / "manifest.json", 100)
        assert requests.get(f"{gateway.url}/readyz", timeout=PATIENCE).status_code == 200


def test_a_withdrawn_variant_is_unknown_and_missed_by_nobody_else(
    gateway: Gateway, load: Load, manifest_folder: Path
) -> None:
    publish(manifest_folder, variants=[variant("plain")])
    load.sees(200, 50)
    unknown = (404, "There is no variant 'dropout'; there are plain.")
    eventually(lambda: {ask_for(gateway, "dropout") for _ in range(10)} == {unknown}, "the answer of every worker")
    assert set(load.statuses()) == {200}
    publish(manifest_folder)


def ask_for(gateway: Gateway, name: str) -> tuple[int, str | None]:
    """Ask for a variant, and return the status and the detail of a problem."""
    raw = {"Content-Type": "application/octet-stream"}
    answer = requests.post(f"{gateway.url}/predict?variant={name}", data=bytes(784), headers=raw, timeout=PATIENCE)
    return answer.status_code, answer.json().get("detail")
