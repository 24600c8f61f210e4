"""Ask one variant about images, and check that its answer fits them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.gateway.errors import BadGateway, Unprocessable
from serving.gateway.inference.batching import Batcher, Target
from serving.gateway.inference.tf_serving.client import FAMILIAR, PLAIN, PROBABILITIES, Answer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import Manifest, Variant

UNCERTAINTY = "mc_dropout"
UNCERTAINTY_OUTPUTS = ("entropy", "mutual_information")
FAMILIARITY = "familiarity"  # models that were exported before it was defined give none


async def predict(
    batcher: Batcher,
    manifest: Manifest,
    variant: str,
    images: Images,
    *,
    span: Any = None,
) -> Answer:
    """Return `probabilities`, float32 [n, classes], with dropout off, within the deadline.

    `span` is the request's, as `Tracing` has it. Raise a GatewayError.
    """
    found = manifest.variant(variant)
    signature = signature_of(found, PLAIN) if found else PLAIN
    answer = await batcher.predict(Target(variant, signature), images, span=span)
    check(answer, manifest, variant, images.count)
    return answer


def signature_of(variant: Variant, signature: str) -> str:
    """Return the signature to ask a variant for: in place of PLAIN the one that scores familiarity, where it has it."""
    return FAMILIAR if signature == PLAIN and FAMILIAR in variant.signatures else signature


def require_uncertainty(manifest: Manifest, variant: Variant) -> None:
    """Raise Unprocessable, naming the variants that can, if this one has no dropout to sample from."""
    if UNCERTAINTY not in variant.signatures:
        able = ", ".join(v.name for v in manifest.variants if UNCERTAINTY in v.signatures) or "none does"
        raise Unprocessable(f"Variant {variant.name!r} cannot tell its uncertainty; those that can: {able}.")


def check(answer: Answer, manifest: Manifest, variant: str, images: int, signature: str = PLAIN) -> None:
    """Raise BadGateway unless the answer has `probabilities` [images, classes], and [images] of each uncertainty."""
    _expect(answer, variant, PROBABILITIES, (images, len(manifest.classes)))
    if FAMILIARITY in answer.outputs:
        _expect(answer, variant, FAMILIARITY, (images,))
    if signature == UNCERTAINTY:
        for name in UNCERTAINTY_OUTPUTS:
            _expect(answer, variant, name, (images,))


def familiarities(answer: Answer) -> NDArray[np.float32] | Sequence[None]:
    """Return the familiarity of each image, None where the model gives none."""
    found = answer.outputs.get(FAMILIARITY)
    return [None] * len(answer.best) if found is None else found


def labels(answer: Answer, manifest: Manifest) -> list[str]:
    """Return the most probable class of each image."""
    return [manifest.classes[best] for best in answer.best]


def _expect(answer: Answer, variant: str, name: str, shape: tuple[int, ...]) -> None:
    output = answer.outputs.get(name)
    if output is None or output.shape != shape:
        found = "missing" if output is None else f"of shape {output.shape}"
        raise BadGateway(f"Variant {variant!r} answered {name} {found}; values of shape {shape} belong there.")
