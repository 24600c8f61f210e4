"""Breaks of what the production overlay renders, each of which a policy must notice."""

from collections.abc import Callable
from typing import Any

from tests.deploy.kubernetes import pod_policies, serving_policies
from tests.deploy.kubernetes.objects import Object, container, of_kind, pods, settings
from tests.deploy.kubernetes.policies import PRODUCTION, Policy


def first(objects: list[Object], kind: str) -> Any:
    """Return the specification of the first object of a kind."""
    return of_kind(objects, kind)[0]["spec"]


def pod(objects: list[Object]) -> Object:
    """Return the specification of the first Pod."""
    return next(pods(objects)).spec


def rule(objects: list[Object], name: str) -> Any:
    """Return the specification of a network policy."""
    return next(each["spec"] for each in of_kind(objects, "NetworkPolicy") if each["metadata"]["name"] == name)


def without(kind: str) -> Callable[[list[Object]], None]:
    """Return a break that takes the first object of a kind away."""
    return lambda objects: objects.remove(of_kind(objects, kind)[0])


BREAKS: dict[str, tuple[Policy, Callable[[list[Object]], Any]]] = {
    "root": (pod_policies.without_root, lambda all_: pod(all_)["securityContext"].pop("runAsNonRoot")),
    "user 0": (pod_policies.without_root, lambda all_: pod(all_)["securityContext"].update(runAsUser=0)),
    "seccomp": (pod_policies.without_root, lambda all_: pod(all_)["securityContext"].pop("seccompProfile")),
    "node's network": (pod_policies.without_root, lambda all_: pod(all_).update(hostNetwork=True)),
    "token": (pod_policies.without_root, lambda all_: pod(all_).pop("automountServiceAccountToken")),
    "service links": (pod_policies.without_root, lambda all_: pod(all_).pop("enableServiceLinks")),
    "privileges": (
        pod_policies.without_root,
        lambda all_: container(all_, "gateway")["securityContext"].pop("allowPrivilegeEscalation"),
    ),
    "capabilities": (
        pod_policies.without_root,
        lambda all_: container(all_, "model-server")["securityContext"]["capabilities"].update(add=["NET_RAW"]),
    ),
    "writable root": (
        pod_policies.without_root,
        lambda all_: container(all_, "model-server")["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    "host path": (pod_policies.volumes, lambda all_: pod(all_)["volumes"].append({"name": "x", "hostPath": {}})),
    "endless volume": (
        pod_policies.volumes, lambda all_: pod(all_)["volumes"].append({"name": "x", "emptyDir": {}}),
    ),
    "missing volume": (pod_policies.volumes, lambda all_: pod(all_)["volumes"].pop(0)),
    "writable models": (
        pod_policies.volumes,
        lambda all_: [mount.pop("readOnly", 0) for mount in container(all_, "model-server")["volumeMounts"]],
    ),
    "memory": (pod_policies.bounds, lambda all_: container(all_, "gateway")["resources"]["limits"].pop("memory")),
    "processor": (pod_policies.bounds, lambda all_: container(all_, "model-server")["resources"].pop("requests")),
    "latest": (pod_policies.pinned, lambda all_: container(all_, "gateway").update(image="registry:5000/x:latest")),
    "no tag": (pod_policies.pinned, lambda all_: container(all_, "gateway").update(image="registry:5000/x")),
    "models without a tag": (
        pod_policies.pinned,
        lambda all_: [each["image"].update(reference="x") for each in pod(all_)["volumes"] if "image" in each],
    ),
    "namespace": (pod_policies.at_home, lambda all_: of_kind(all_, "Service")[0]["metadata"].pop("namespace")),
    "standard": (pod_policies.at_home, lambda all_: of_kind(all_, "Namespace")[0]["metadata"]["labels"].clear()),
    "list": (pod_policies.at_home, lambda all_: all_.append({"kind": "List", "items": []})),
    "readiness": (serving_policies.probes, lambda all_: container(all_, "gateway").pop("readinessProbe")),
    "liveness": (serving_policies.probes, lambda all_: container(all_, "gateway").pop("livenessProbe")),
    "liveness by the model server": (
        serving_policies.probes,
        lambda all_: container(all_, "gateway")["livenessProbe"]["httpGet"].update(path="/readyz"),
    ),
    "probe of another port": (
        serving_policies.probes,
        lambda all_: container(all_, "gateway")["startupProbe"]["httpGet"].update(port=8081),
    ),
    "start of the model server": (
        serving_policies.probes, lambda all_: container(all_, "model-server").pop("startupProbe"),
    ),
    "no sleep": (serving_policies.drain, lambda all_: container(all_, "gateway").pop("lifecycle")),
    "short grace": (serving_policies.drain, lambda all_: pod(all_).update(terminationGracePeriodSeconds=60)),
    "model server first": (serving_policies.drain, lambda all_: container(all_, "model-server").pop("restartPolicy")),
    "rollout": (serving_policies.drain, lambda all_: first(all_, "Deployment").pop("strategy")),
    "port of the model server": (
        serving_policies.socket, lambda all_: container(all_, "model-server")["args"].append("--port=8500"),
    ),
    "another socket": (
        serving_policies.socket, lambda all_: settings(all_).update(GATEWAY_MODEL_SERVER="unix:/tmp/other.sock"),
    ),
    "socket on disk": (
        serving_policies.socket,
        lambda all_: [each.update(name="other") for each in pod(all_)["volumes"] if each["name"] == "socket"],
    ),
    "service of nobody": (serving_policies.service, lambda all_: first(all_, "Service")["selector"].update(app="x")),
    "service of another port": (
        serving_policies.service, lambda all_: first(all_, "Service")["ports"][0].update(targetPort=8500),
    ),
    "service named as a setting": (
        serving_policies.service, lambda all_: of_kind(all_, "Service")[0]["metadata"].update(name="gateway"),
    ),
    "no budget": (serving_policies.disruption, without("PodDisruptionBudget")),
    "budget of nobody": (
        serving_policies.disruption,
        lambda all_: first(all_, "PodDisruptionBudget")["selector"]["matchLabels"].update(app="x"),
    ),
    "spread": (serving_policies.spread, lambda all_: pod(all_).pop("topologySpreadConstraints")),
    "spread over zones": (serving_policies.spread, lambda all_: pod(all_)["topologySpreadConstraints"].pop(0)),
    "spread of others": (
        serving_policies.spread,
        lambda all_: pod(all_)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].update(app="x"),
    ),
    "no scaler": (serving_policies.scale, without("HorizontalPodAutoscaler")),
    "one Pod": (serving_policies.scale, lambda all_: first(all_, "HorizontalPodAutoscaler").update(minReplicas=1)),
    "replicas": (serving_policies.scale, lambda all_: first(all_, "Deployment").update(replicas=3)),
    "scale by processor": (
        serving_policies.scale, lambda all_: first(all_, "HorizontalPodAutoscaler")["metrics"][0].pop("pods"),
    ),
    "route to nowhere": (
        serving_policies.route, lambda all_: first(all_, "HTTPRoute")["rules"][0]["backendRefs"][0].update(name="x"),
    ),
    "route by another name": (
        serving_policies.route, lambda all_: first(all_, "HTTPRoute").update(hostnames=["x.org"]),
    ),
    "proxies": (serving_policies.route, lambda all_: settings(all_).pop("GATEWAY_TRUSTED_PROXIES")),
    "no denial": (PRODUCTION, without("NetworkPolicy")),
    "ingress alone": (PRODUCTION, lambda all_: rule(all_, "default-deny")["policyTypes"].remove("Egress")),
    "no way to the database": (
        PRODUCTION, lambda all_: rule(all_, "gateway-to-database")["egress"].pop(),
    ),
    "a way for everybody": (PRODUCTION, lambda all_: rule(all_, "route-to-gateway")["ingress"][0].pop("from")),
    "every port": (PRODUCTION, lambda all_: rule(all_, "route-to-gateway")["ingress"][0].pop("ports")),
    "another Prometheus": (
        PRODUCTION, lambda all_: rule(all_, "prometheus-to-gateway")["ingress"][0]["from"][0].pop("podSelector"),
    ),
}  # fmt: skip
