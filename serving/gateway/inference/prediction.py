"""Ask one variant about images, and check that its answer fits them."""

import numpy as np
from numpy.typing import NDArray

from serving.gateway.errors import BadGateway, Unprocessable
from serving.gateway.inference.batching import Batcher
from serving.gateway.inference.tf_serving.client import Answer, ModelServer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import Manifest, Variant

PLAIN = "serving_default"
UNCERTAINTY = "mc_dropout"
PROBABILITIES = "probabilities"
UNCERTAINTY_OUTPUTS = ("entropy", "mutual_information")


def predict(
    server: ModelServer | Batcher, manifest: Manifest, variant: Variant, images: Images, timeout: float | None = None
) -> Answer:
    """Return `probabilities`, float32 [n, classes], with dropout off, within `timeout` seconds."""
    answer = server.predict(variant.name, PLAIN, images, timeout=timeout)
    _expect(answer, variant, PROBABILITIES, (images.count, len(manifest.classes)))
    return answer


def predict_uncertainty(
    server: ModelServer | Batcher, manifest: Manifest, variant: Variant, images: Images, samples: int
) -> Answer:
    """Return `probabilities` [n, classes], the mean of `samples` passes, and `entropy` and `mutual_information` [n].

    Raise Unprocessable, naming the variants that can, if this one has no dropout to sample from.
    """
    if UNCERTAINTY not in variant.signatures:
        able = ", ".join(v.name for v in manifest.variants if UNCERTAINTY in v.signatures) or "none does"
        raise Unprocessable(f"Variant {variant.name!r} cannot tell its uncertainty; those that can: {able}.")
    answer = server.predict(variant.name, UNCERTAINTY, images, samples)
    _expect(answer, variant, PROBABILITIES, (images.count, len(manifest.classes)))
    for name in UNCERTAINTY_OUTPUTS:
        _expect(answer, variant, name, (images.count,))
    return answer


def labels(answer: Answer, manifest: Manifest) -> list[str]:
    """Return the most probable class of each image."""
    return [manifest.classes[most] for most in answer.outputs[PROBABILITIES].argmax(axis=1).tolist()]


def _expect(answer: Answer, variant: Variant, name: str, shape: tuple[int, ...]) -> None:
    output: NDArray[np.float32] | None = answer.outputs.get(name)
    if output is None or output.shape != shape:
        found = "missing" if output is None else f"of shape {output.shape}"
        raise BadGateway(f"Variant {variant.name!r} answered {name} {found}; values of shape {shape} belong there.")
