"""Find what policies look at in rendered objects of Kubernetes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

Object = dict[str, Any]


class Pod(NamedTuple):
    """A template of Pods: the object that holds it, its labels, and its spec."""

    name: str
    kind: str
    labels: Mapping[str, str]
    spec: Object


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    """Return the objects of some kinds."""
    return [each for each in objects if each["kind"] in kinds]


def name_of(item: Object) -> str:
    """Return the kind and name of an object."""
    return f"{item['kind']}/{item['metadata']['name']}"


def pods(objects: Iterable[Object]) -> Iterator[Pod]:
    """Yield the templates of all Pods, those of a RayJob too."""
    for item in of_kind(objects, "Deployment", "Job"):
        yield _pod(name_of(item), item["kind"], item["spec"]["template"])
    for item in of_kind(objects, "RayJob"):
        cluster = item["spec"]["rayClusterSpec"]
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
            yield _pod(f"{name_of(item)} {group.get('groupName', 'head')}", "RayJob", group["template"])


def containers(pod: Pod) -> list[Object]:
    """Return a Pod's containers, sidecars and other init containers too."""
    return [*pod.spec.get("initContainers", []), *pod.spec["containers"]]


def container(objects: Iterable[Object], name: str) -> Object:
    """Return the one container of that name."""
    (found,) = (each for pod in pods(objects) for each in containers(pod) if each["name"] == name)
    return found


def settings(objects: Iterable[Object]) -> dict[str, str]:
    """Return the settings in the ConfigMap."""
    (found,) = (each["data"] for each in of_kind(objects, "ConfigMap"))
    return found


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Say whether a selector by labels alone takes a Pod with these labels."""
    return bool(selector) and selector["matchLabels"].items() <= labels.items()


def _pod(name: str, kind: str, template: Object) -> Pod:
    return Pod(name, kind, template["metadata"].get("labels", {}), template["spec"])
