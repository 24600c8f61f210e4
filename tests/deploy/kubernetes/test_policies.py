"""Hold the rendered objects to policies, and break each policy once to see that it is one."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.deploy.kubernetes.breaks import BREAKS
from tests.deploy.kubernetes.conftest import Rendered, kustomizations
from tests.deploy.kubernetes.network_policies import network
from tests.deploy.kubernetes.objects import Object, container, of_kind
from tests.deploy.kubernetes.policies import AVAILABLE, EVERYWHERE, PATHS, PRODUCTION, SERVING, Policy

pytestmark = [pytest.mark.manifests, pytest.mark.slow]


def policies() -> Iterator[tuple[str, Policy]]:
    """Yield each policy with the name of each kustomization that it is for."""
    for name in kustomizations():
        yield from ((name, policy) for policy in EVERYWHERE)
        yield name, partial(network, expected=PATHS.get(name, set()))
        yield from ((name, policy) for policy in SERVING if name.startswith("overlays/"))
        yield from ((name, policy) for policy in AVAILABLE if name == "overlays/production")


@pytest.mark.parametrize(("name", "policy"), list(policies()))
def test_a_policy_is_kept(name: str, policy: Policy, rendered: Rendered) -> None:
    assert list(policy(rendered(name))) == []


@pytest.mark.parametrize(("policy", "break_it"), BREAKS.values(), ids=BREAKS)
def test_a_policy_that_is_broken_says_so(
    policy: Policy, break_it: Callable[[list[Object]], Any], rendered: Rendered
) -> None:
    objects = rendered("overlays/production")
    break_it(objects)
    assert list(policy(objects)) != []


def test_every_policy_is_broken_once() -> None:
    broken = {policy for policy, _ in BREAKS.values()}
    assert broken == {*EVERYWHERE, *SERVING, *AVAILABLE, PRODUCTION}


def test_the_database_of_development_is_reached(rendered: Rendered) -> None:
    objects = rendered("overlays/development")
    (cluster,) = of_kind(objects, "Cluster")
    (url,) = (each["valueFrom"]["secretKeyRef"] for each in container(objects, "gateway")["env"])
    assert url == {"name": f"{cluster['metadata']['name']}-app", "key": "uri"}
