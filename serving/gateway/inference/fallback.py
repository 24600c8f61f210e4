"""Answer by another variant where the caller has chosen none and the variant of the request fails."""

from collections.abc import Callable
from typing import NamedTuple

from serving.gateway.errors import GatewayError, Unavailable
from serving.gateway.inference.tf_serving.client import Answer
from serving.gateway.manifest import Manifest, Variant


class Fallback(NamedTuple):
    """The variant in whose place another answered, and the reason."""

    instead_of: str
    reason: str


def ask_or_default(
    manifest: Manifest, variant: Variant, ask: Callable[[Variant], Answer]
) -> tuple[Variant, Answer, Fallback | None]:
    """Ask `variant`, and its stand-in where that fails; raise the first error where both do."""
    try:
        return variant, ask(variant), None
    except GatewayError as error:
        other = stand_in(manifest, variant, error)
        if other is None:
            raise
        try:
            return other, ask(other), Fallback(variant.name, error.detail)
        except GatewayError:
            raise error from None


def stand_in(manifest: Manifest, variant: Variant, error: GatewayError) -> Variant | None:
    """Return the manifest's default, or for the default itself, when it is not there, the first of the others.

    The model server loads a new default a moment after the manifest names it.
    """
    if variant.name != manifest.default:
        return manifest.variant(manifest.default)
    others = [other for other in manifest.variants if other.name != variant.name]
    return others[0] if others and isinstance(error, Unavailable) else None
