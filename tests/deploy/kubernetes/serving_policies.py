"""Policies for the Pods that serve: probes, drain, disruption, spread, scale, and the way in."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from serving.gateway.settings import Settings
from testing.machine import ROOT
from tests.deploy.kubernetes.objects import Object, container, containers, name_of, of_kind, pods, selects, settings

GUNICORN = (ROOT / "serving/gateway/server/gunicorn.conf.py").read_text()
GRACE_SECONDS = int(re.findall(r"^graceful_timeout = (\d+)", GUNICORN, re.M)[0])
LEAVE_SECONDS = 10  # until all that send requests know that a Pod leaves
PROBES = {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
ZONE, NODE = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def probes(objects: Iterable[Object]) -> Iterator[str]:
    """Want the gateway's three probes at its port, and a model server that has started before the gateway does."""
    gateway = container(objects, "gateway")
    for kind, path in PROBES.items():
        probe = gateway.get(kind, {}).get("httpGet")
        if not probe or probe["path"] != path or port_number(gateway, probe["port"]) != default("port"):
            yield f"the gateway has no {kind} of {path} at its port"
    if "startupProbe" not in container(objects, "model-server"):
        yield "the model server has no startupProbe"


def drain(objects: Iterable[Object]) -> Iterator[str]:
    """Want a Pod to leave without a failed request.

    It stops being ready first, then finishes what it has, and its model server outlives it.
    """
    (deployment,) = of_kind(objects, "Deployment")
    sleeps = container(objects, "gateway").get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    grace = deployment["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
    if sleeps < LEAVE_SECONDS:
        yield f"the gateway is told to end {sleeps} s after it stops being ready"
    if grace <= sleeps + GRACE_SECONDS:
        yield f"the gateway is killed after {grace} s, and may need {sleeps} + {GRACE_SECONDS}"
    sidecars = {each["name"]: each for each in deployment["spec"]["template"]["spec"].get("initContainers", [])}
    if sidecars.get("model-server", {}).get("restartPolicy") != "Always":
        yield "the model server is no sidecar, which would end after the gateway"
    update = deployment["spec"].get("strategy", {}).get("rollingUpdate", {})
    if update.get("maxUnavailable") != 0:
        yield "a rollout takes Pods away before others are ready"


def socket(objects: Iterable[Object]) -> Iterator[str]:
    """Want gateway and model server to meet at a Unix socket on a volume of their Pod, and no port of the latter."""
    gateway, server = container(objects, "gateway"), container(objects, "model-server")
    path = settings(objects)["GATEWAY_MODEL_SERVER"].removeprefix("unix:")
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in server["args"])
    if flags.get("port") != "0" or "rest_api_port" in flags or server.get("ports"):
        yield "the model server has a port, at which it asks nobody for a key"
    if flags.get("grpc_socket_path") != path:
        yield f"the model server listens at {flags.get('grpc_socket_path')}, the gateway calls {path}"
    (pod,) = pods(objects)
    kept = {each["name"] for each in pod.spec["volumes"] if "emptyDir" in each}
    for each in (gateway, server):
        at = {mount["mountPath"]: mount["name"] for mount in each["volumeMounts"]}
        if at.get(path.rpartition("/")[0]) not in kept:
            yield f"{each['name']} has no volume for {path}"


def disruption(objects: Iterable[Object]) -> Iterator[str]:
    """Want a PodDisruptionBudget that takes the serving Pods, lets one go, and keeps one."""
    (pod,) = pods(objects)
    budgets = [each["spec"] for each in of_kind(objects, "PodDisruptionBudget")]
    if not any(selects(each["selector"], pod.labels) and each.get("maxUnavailable") == 1 for each in budgets):
        yield f"{pod.name} has no PodDisruptionBudget that lets one Pod go at a time"


def spread(objects: Iterable[Object]) -> Iterator[str]:
    """Want Pods in every zone, and on several nodes where there are several."""
    (pod,) = pods(objects)
    over = {
        each["topologyKey"]: each["whenUnsatisfiable"]
        for each in pod.spec.get("topologySpreadConstraints", [])
        if selects(each.get("labelSelector", {}), pod.labels) and each["maxSkew"] == 1
    }
    if over.get(ZONE) != "DoNotSchedule" or NODE not in over:
        yield f"{pod.name} may have all its Pods in one zone, or on one node"


def scale(objects: Iterable[Object]) -> Iterator[str]:
    """Want a HorizontalPodAutoscaler by the predictions under way, and no number of Pods beside it."""
    (deployment,) = of_kind(objects, "Deployment")
    for each in (scaler["spec"] for scaler in of_kind(objects, "HorizontalPodAutoscaler")):
        names = [metric.get("pods", {}).get("metric", {}).get("name") for metric in each["metrics"]]
        if name_of(deployment) == f"{each['scaleTargetRef']['kind']}/{each['scaleTargetRef']['name']}":
            if names != ["gateway_in_flight"]:
                yield f"the HorizontalPodAutoscaler looks at {names}"
            if each["minReplicas"] < 2:
                yield "the HorizontalPodAutoscaler leaves a single Pod"
            if "replicas" in deployment["spec"]:
                yield "the Deployment's replicas undo the HorizontalPodAutoscaler's"
            return
    yield f"{name_of(deployment)} has no HorizontalPodAutoscaler"


def service(objects: Iterable[Object]) -> Iterator[str]:
    """Want a Service whose Pods and port exist, by a name that makes no variable of a setting."""
    (pod,), (found,) = pods(objects), of_kind(objects, "Service")
    if not found["spec"]["selector"].items() <= pod.labels.items():
        yield "the Service selects no Pod"
    (port,) = found["spec"]["ports"]
    if port_number(containers(pod)[-1], port["targetPort"]) != default("port"):
        yield "the Service leads to no port of the gateway"
    if found["metadata"]["name"] == "gateway":
        yield "the Service's name makes the variable GATEWAY_PORT"


def route(objects: Iterable[Object]) -> Iterator[str]:
    """Want an HTTPRoute that leads to the Service, by the names at which the gateway answers, from a trusted proxy."""
    (found,), (there,) = of_kind(objects, "HTTPRoute"), of_kind(objects, "Service")
    ports = [port["port"] for port in there["spec"]["ports"]]
    for rule in found["spec"]["rules"]:
        if any(each["name"] != there["metadata"]["name"] or each["port"] not in ports for each in rule["backendRefs"]):
            yield "the HTTPRoute leads to no Service"
    if ",".join(found["spec"]["hostnames"]) != settings(objects).get("GATEWAY_HOSTS"):
        yield "the gateway does not answer at the HTTPRoute's names"
    if not settings(objects).get("GATEWAY_TRUSTED_PROXIES"):
        yield "all clients share one rate, since the route's proxies are not trusted"


def port_number(item: Object, port: str | int) -> int | None:
    """Return the number of a container's port, by its name or number."""
    return next(
        (each["containerPort"] for each in item["ports"] if port in (each["name"], each["containerPort"])), None
    )


def default(name: str) -> Any:
    """Return the default of a setting of the gateway."""
    return Settings.model_fields[name].default
