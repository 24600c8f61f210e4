"""Policies for every Pod; each yields the faults that it finds."""

from collections.abc import Iterable, Iterator

from tests.deploy.kubernetes.objects import Object, containers, of_kind, pods

# Of the restricted Pod security standard, as far as they are used here; images count since Kubernetes 1.33.
VOLUMES = {"configMap", "emptyDir", "image", "persistentVolumeClaim", "secret"}
NAMESPACE = "dropserve"


def without_root(objects: Iterable[Object]) -> Iterator[str]:
    """Want Pods of a user of their own, without capabilities, without a token, and with a root that nobody writes."""
    for pod in pods(objects):
        user = pod.spec.get("securityContext", {})
        if not user.get("runAsNonRoot") or not user.get("runAsUser"):
            yield f"{pod.name} may run as root"
        if user.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{pod.name} has no seccomp profile"
        if any(pod.spec.get(each) for each in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{pod.name} shares its node's namespaces"
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.name} has a token of the API server"
        if pod.spec.get("enableServiceLinks") is not False:
            yield f"{pod.name} gets variables of Services, such as GATEWAY_PORT"
        for each in containers(pod):
            rights = each.get("securityContext", {})
            if rights.get("allowPrivilegeEscalation") is not False or rights.get("privileged"):
                yield f"{each['name']} may gain privileges"
            if rights.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{each['name']} has capabilities"
            if not rights.get("readOnlyRootFilesystem"):
                yield f"{each['name']} may write to its root"


def volumes(objects: Iterable[Object]) -> Iterator[str]:
    """Want volumes that the namespace admits, bounds on those in memory or on the node, and mounts that exist."""
    for pod in pods(objects):
        there = {each["name"]: each.keys() - {"name"} for each in pod.spec.get("volumes", [])}
        for name, kinds in there.items():
            if not kinds <= VOLUMES:
                yield f"{pod.name} has the volume {name} of kind {', '.join(kinds)}"
        for each in pod.spec.get("volumes", []):
            if "emptyDir" in each and "sizeLimit" not in each["emptyDir"]:
                yield f"{pod.name} has the volume {each['name']} without a limit"
        for each in containers(pod):
            for mount in each.get("volumeMounts", []):
                if mount["name"] not in there:
                    yield f"{each['name']} mounts {mount['name']}, which does not exist"
                if mount["name"] == "models" and pod.kind == "Deployment" and not mount.get("readOnly"):
                    yield f"{each['name']} may write to the models"


def bounds(objects: Iterable[Object]) -> Iterator[str]:
    """Want a request and a limit of processor and memory for every container."""
    for pod in pods(objects):
        for each in containers(pod):
            for kind in ("requests", "limits"):
                missing = {"cpu", "memory"} - each.get("resources", {}).get(kind, {}).keys()
                if missing:
                    yield f"{each['name']} has no {kind} of {', '.join(sorted(missing))}"


def pinned(objects: Iterable[Object]) -> Iterator[str]:
    """Want images with a tag that does not move, or a digest."""
    for pod in pods(objects):
        images = [each["image"] for each in containers(pod)]
        images += [each["image"]["reference"] for each in pod.spec.get("volumes", []) if "image" in each]
        for image in images:
            _, _, tag = image.rpartition("/")[2].partition(":")
            if "@sha256:" not in image and tag in ("", "latest"):
                yield f"{pod.name} has the image {image}, whose tag moves"


def at_home(objects: Iterable[Object]) -> Iterator[str]:
    """Want all objects in one namespace, which enforces the restricted standard, and none inside a List."""
    for each in objects:
        if each["kind"].endswith("List"):
            yield f"{each['kind']} hides its objects from validation"
        elif each["kind"] != "Namespace" and each["metadata"].get("namespace") != NAMESPACE:
            yield f"{each['kind']}/{each['metadata']['name']} is in no namespace of ours"
    for each in of_kind(objects, "Namespace"):
        if each["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{each['metadata']['name']} admits any Pod"
