"""Who answers where the variant that should have does not, and the caller has chosen none."""

from collections.abc import Callable
from typing import NamedTuple

from serving.gateway.errors import GatewayError
from serving.gateway.inference.tf_serving.client import Answer
from serving.gateway.manifest import Manifest, Variant


class Fallback(NamedTuple):
    """The variant in whose place another answered, and why it did not."""

    instead_of: str
    reason: str


def ask_or_default(
    manifest: Manifest, variant: Variant, ask: Callable[[Variant], Answer]
) -> tuple[Variant, Answer, Fallback | None]:
    """Ask `variant`, and the manifest's default where that fails; raise the first error where both do."""
    try:
        return variant, ask(variant), None
    except GatewayError as error:
        default = manifest.variant(manifest.default)
        if default is None or default.name == variant.name:
            raise
        try:
            return default, ask(default), Fallback(variant.name, error.detail)
        except GatewayError:
            raise error from None
