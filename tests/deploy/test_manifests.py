"""Compare the manifests' files with the settings tables and with docker-compose.yml; needs no kubectl."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from serving.gateway import VERSION
from serving.gateway.settings import PREFIX, Settings, variable
from testing.machine import ROOT
from training.arguments import parser

FOLDER = ROOT / "deploy" / "kubernetes"
SECRET = {"GATEWAY_ADMIN_TOKEN", "GATEWAY_API_KEYS", "GATEWAY_WEBHOOK_SECRET", "GATEWAY_WEBHOOK_URL"}
LEFT_OUT = {"--port", "--grpc_socket_path"}  # flags in which the Pod differs from docker-compose.yml


@cache
def documents() -> list[tuple[str, Any]]:
    """Return every document of every file, with the file's name."""
    texts = {str(file.relative_to(FOLDER)): file.read_text() for file in sorted(FOLDER.rglob("*.yaml"))}
    return [(name, each) for name, text in texts.items() for each in yaml.safe_load_all(text)]


def found(item: Any, key: str) -> Iterator[Any]:
    """Yield the values of a key at any depth."""
    if isinstance(item, dict):
        yield from ([item[key]] if key in item else [])
        for each in item.values():
            yield from found(each, key)
    elif isinstance(item, list):
        for each in item:
            yield from found(each, key)


def literals() -> dict[str, dict[str, str]]:
    """Return the settings that each kustomization gives."""
    given = {
        name: dict(each.split("=", 1) for literals in found(document, "literals") for each in literals)
        for name, document in documents()
    }
    return {name: each for name, each in given.items() if each}


def gateway() -> Any:
    """Return the gateway's and the model server's containers as base has them, by their names."""
    every = yaml.safe_load_all((FOLDER / "base/gateway.yaml").read_text())
    spec = next(each for each in every if each["kind"] == "Deployment")["spec"]["template"]["spec"]
    return {each["name"]: each for each in (*spec["initContainers"], *spec["containers"])}


def test_settings_are_those_of_the_table() -> None:
    base = literals()["base/kustomization.yaml"]
    of_containers = {each["name"] for each in gateway()["gateway"]["env"]}
    known = {variable(name) for name in Settings.model_fields}
    assert of_containers == {"GATEWAY_DATABASE_URL"}
    for given in literals().values():
        assert given.keys() <= known - SECRET - of_containers
        Settings.from_environ({**base, **given})  # which refuses unusable values
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+", (FOLDER / "base/gateway.yaml").read_text())) <= known | {
        "GATEWAY_PORT"
    }


def test_the_model_server_has_the_flags_of_docker_compose() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["model-server"]
    ours = gateway()["model-server"]
    assert [flags(each) for each in (ours["args"], compose["command"])] == [flags(ours["args"])] * 2
    assert f":-{ours['image']}}}" in compose["image"]
    assert ours["command"] == compose["entrypoint"]


def flags(arguments: list[str]) -> set[str]:
    """Return the flags in which Pods and containers of Compose are the same."""
    return {each for each in arguments if each.partition("=")[0] not in LEFT_OUT}


def test_images_are_of_this_version() -> None:
    images = [each for _, document in documents() for given in found(document, "images") for each in given]
    tags = {each["name"]: each["newTag"] for each in images if "name" in each}
    readme = (FOLDER / "README.md").read_text()
    assert set(re.findall(r"dropserve/(?:gateway|training|study):([\d.]+)", readme)) == {VERSION}
    assert tags == dict.fromkeys(("dropserve/gateway", "dropserve/training", "dropserve/study"), VERSION)


def test_jobs_call_the_training_job_as_it_can_be_called(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [document for name, document in documents() if name.startswith("jobs/")]
    calls = [list(each) for document in jobs for each in found(document, "args")]
    calls += [each.partition(" training ")[2].split() for document in jobs for each in found(document, "entrypoint")]
    assert len(calls) == 4
    with pytest.raises(SystemExit):
        parser().parse_args(["study", "--help"])
    if not {"--shard", "--ray"} <= set(re.findall(r"--[a-z]+", capsys.readouterr().out)):
        pytest.skip("the study knows neither --shard nor --ray here")
    for call in calls:
        parser().parse_args([each.replace("$(JOB_COMPLETION_INDEX)", "7") for each in call])
    (study,) = (document["spec"] for document in jobs if "completions" in document.get("spec", {}))
    assert study["completionMode"] == "Indexed"
    (shards,) = re.findall(r"--shard=\$\(JOB_COMPLETION_INDEX\)/(\d+)", str(study))
    assert study["completions"] == int(shards)
