"""Choose the variant that answers a request."""

from typing import NamedTuple

from serving.gateway.errors import NotFound
from serving.gateway.manifest import Manifest, Variant


class Route(NamedTuple):
    """The variant that answers, and the experiment that chose it, None where none did."""

    variant: Variant
    experiment: str | None


def choose(manifest: Manifest, variant: str | None, experiment: str | None) -> Route:
    """Return the explicitly named variant, else the default one; raise NotFound for a name that does not exist."""
    if variant is not None:
        return Route(named(manifest, variant), None)
    if experiment is not None:
        raise NotFound(f"There is no experiment {experiment!r}; there are none.")
    return Route(named(manifest, manifest.default), None)


def named(manifest: Manifest, name: str) -> Variant:
    """Return the variant called `name`; raise NotFound, naming those that exist."""
    variant = manifest.variant(name)
    if variant is None:
        raise NotFound(f"There is no variant {name!r}; there are {', '.join(v.name for v in manifest.variants)}.")
    return variant
