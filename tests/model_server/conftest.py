"""One folder of small models for all tests, and one server over them.

The conformance tests run against a real TF Serving instead when TF_SERVING_ADDRESS (host:port of gRPC) names one, its
REST port being TF_SERVING_REST (http://host:port). Write its models with `python -m testing.saved_models
FOLDER`, and start it with the flags below.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from tensorflow_serving.apis import get_model_status_pb2

from testing import warm
from testing.running_model_server import Running, connected, running
from testing.waiting import eventually

hypothesis.settings.register_profile("long", max_examples=2500)
VERSIONS = 2  # of half_plus
REAL_ADDRESS = os.environ.get("TF_SERVING_ADDRESS")


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `saved_models.py` writes, made in a process of its own."""
    folder = tmp_path_factory.mktemp("saved_models")
    done = warm.run("testing.saved_models", folder)
    assert done.returncode == 0, done.stderr
    return folder


def conformance_flags(folder: Path) -> list[str]:
    """Return the flags of the server that the conformance tests speak to."""
    return [
        f"--model_config_file={folder}/models.config",
        "--allow_version_labels_for_unavailable_models=true",
        f"--monitoring_config_file={folder}/monitoring.config",
        "--rest_api_timeout_in_ms=1000",
    ]


def all_versions_answer(server: Running) -> bool:
    """Say whether every version of `half_plus` is AVAILABLE: a server answers once each model has one."""
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "half_plus"
    available = get_model_status_pb2.ModelVersionStatus.State.AVAILABLE
    statuses = server.model.GetModelStatus(request).model_version_status
    return len(statuses) == VERSIONS and all(status.state == available for status in statuses)


@pytest.fixture(scope="session", params=["alone"] if REAL_ADDRESS else ["alone", "batching"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server over all small models: the embedded one, without and with batching, or the real one."""
    if REAL_ADDRESS:
        with connected(REAL_ADDRESS) as channel:
            yield Running(REAL_ADDRESS, os.environ["TF_SERVING_REST"], channel)
        return
    folder = request.getfixturevalue("saved_models")
    batching = ["--enable_batching", f"--batching_parameters_file={folder}/batching.config"]
    with running(*conformance_flags(folder), *(batching if request.param == "batching" else [])) as embedded:
        eventually(lambda: all_versions_answer(embedded), "both versions of half_plus")
        yield embedded
