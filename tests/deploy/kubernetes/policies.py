"""The policies, and where each one holds."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from tests.deploy.kubernetes import pod_policies, serving_policies
from tests.deploy.kubernetes.network_policies import network
from tests.deploy.kubernetes.objects import Object

Policy = Callable[[Iterable[Object]], Iterator[str]]

EVERYWHERE: list[Policy] = [
    pod_policies.without_root, pod_policies.volumes, pod_policies.bounds, pod_policies.pinned, pod_policies.at_home,
]  # fmt: skip
SERVING: list[Policy] = [
    serving_policies.probes, serving_policies.drain, serving_policies.socket, serving_policies.service,
]  # fmt: skip
AVAILABLE: list[Policy] = [
    serving_policies.disruption, serving_policies.spread, serving_policies.scale, serving_policies.route,
]  # fmt: skip

OF_BASE = {
    "all ← nobody", "all → nobody",
    "all → kube-system:kube-dns 53/UDP", "all → kube-system:kube-dns 53/TCP",
    "gateway ← monitoring:prometheus 8080/TCP",
}  # fmt: skip
PATHS: dict[str, set[str]] = {
    "overlays/production": OF_BASE | {"gateway ← gateway-system:all 8080/TCP", "gateway → 192.0.2.10/32 5432/TCP"},
    "overlays/development": OF_BASE | {
        "gateway → dropserve-database 5432/TCP", "dropserve-database ← gateway 5432/TCP",
        "dropserve-database ← dropserve-database 5432/TCP", "dropserve-database ← dropserve-database 8000/TCP",
        "dropserve-database ← cnpg-system:all 5432/TCP", "dropserve-database ← cnpg-system:all 8000/TCP",
        "dropserve-database → dropserve-database 5432/TCP", "dropserve-database → dropserve-database 8000/TCP",
        "dropserve-database → anywhere 443/TCP", "dropserve-database → anywhere 6443/TCP",
    },
    "jobs/common": {
        "training → 0.0.0.0/0 but 10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16 443/TCP",
        "yes ← yes all", "yes ← kuberay-system:all 8265/TCP", "yes → yes all",
    },
}  # fmt: skip
PRODUCTION = partial(network, expected=PATHS["overlays/production"])
