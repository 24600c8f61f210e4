"""Validate every object strictly against the schemas of Kubernetes."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.kubernetes.conftest import TOOLS, Rendered, kustomizations, text_of

pytestmark = [pytest.mark.manifests, pytest.mark.slow]

WITHOUT_SCHEMA = {
    "Cluster",
    "HTTPRoute",
    "PodMonitor",
    "RayJob",
}  # of operators, which kubernetes-validate does not know
UNKNOWN = re.compile(r"^WARN .* find schema for kind (\w+)", re.M)


def validate(text: str, folder: Path) -> tuple[list[str], set[str]]:
    """Return the errors of the objects in YAML, and the kinds that nothing was checked of."""
    file = folder / "objects.yaml"
    file.write_text(text)
    command = [str(TOOLS / "kubernetes-validate"), "--strict", "--quiet", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    errors = [line for line in done.stdout.splitlines() if line and not line.startswith("WARN")]
    assert bool(errors) == bool(done.returncode), done.stdout + done.stderr
    return errors, set(UNKNOWN.findall(done.stdout))


def test_every_object_is_valid(tmp_path: Path) -> None:
    errors, unknown = validate("\n---\n".join(text_of(name) for name in kustomizations()), tmp_path)
    assert errors == []
    assert unknown == WITHOUT_SCHEMA


def test_a_wrong_field_and_an_unknown_kind_are_found(rendered: Rendered, tmp_path: Path) -> None:
    objects = rendered("overlays/production")
    (deployment,) = (each for each in objects if each["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    (budget,) = (each for each in objects if each["kind"] == "PodDisruptionBudget")
    budget["apiVersion"] = "policy/v1beta1"
    errors, unknown = validate(yaml.safe_dump_all([deployment, budget]), tmp_path)
    (error,) = errors
    assert "readynessProbe" in error
    assert unknown == {"PodDisruptionBudget"}
