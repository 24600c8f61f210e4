"""The paths that network policies admit, as sentences to compare with those that are used."""

from collections.abc import Iterable, Iterator

from tests.deploy.kubernetes.objects import Object, of_kind

EVERYTHING = "all"


def admitted(objects: Iterable[Object]) -> set[str]:
    """Return a sentence for each path, such as `gateway → kube-system:kube-dns 53/UDP`, and for what is denied."""
    return {path for policy in of_kind(objects, "NetworkPolicy") for path in _paths(policy["spec"])}


def network(objects: Iterable[Object], expected: set[str]) -> Iterator[str]:
    """Want the policies to admit these paths, no more and no fewer."""
    there = admitted(objects)
    for path in sorted(there - expected):
        yield f"{path} is admitted and not used"
    for path in sorted(expected - there):
        yield f"{path} is used and not admitted"


def _paths(spec: Object) -> Iterator[str]:
    ours = _labels(spec["podSelector"])
    for kind, side, arrow in (("Ingress", "from", "←"), ("Egress", "to", "→")):
        rules = spec.get(kind.lower(), [])
        if kind not in spec["policyTypes"]:
            continue
        if not rules:
            yield f"{ours} {arrow} nobody"
        for rule in rules:
            for peer in rule.get(side, [{}]):
                for port in rule.get("ports", [{}]):
                    yield f"{ours} {arrow} {_peer(peer)} {_port(port)}"


def _peer(peer: Object) -> str:
    if "ipBlock" in peer:
        excepted = peer["ipBlock"].get("except", [])
        return peer["ipBlock"]["cidr"] + (f" but {','.join(excepted)}" if excepted else "")
    if not peer:
        return "anywhere"
    there = _labels(peer["namespaceSelector"]) + ":" if "namespaceSelector" in peer else ""
    return there + _labels(peer.get("podSelector", {}))


def _labels(selector: Object) -> str:
    return ",".join(selector.get("matchLabels", {}).values()) or EVERYTHING


def _port(port: Object) -> str:
    return f"{port['port']}/{port['protocol']}" if port else EVERYTHING
