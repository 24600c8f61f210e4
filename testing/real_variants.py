"""Answers of real variants about the MNIST test images, and null populations drawn from their disagreements.

An image of a simulated experiment holds the number of its test image and a number of its own, so that no two are equal.
The fake model server answers it with the real variant's probabilities.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from serving.gateway.inference.tf_serving import wire_pb2 as wire
from testing.fake_model_server import put

PIXELS = 784
HEAD = np.dtype([("test_image", "<u4"), ("number", "<u4")])


@dataclass(frozen=True)
class RealVariants:
    """Probabilities of each variant, [images, classes], and the true classes, [images]."""

    probabilities: Mapping[str, np.ndarray]
    truth: np.ndarray

    def answer(self, request: wire.PredictRequest) -> wire.PredictResponse:
        """Answer as the variant did about the test images that the request's images stand for."""
        tensor = request.inputs["images"]
        images = np.frombuffer(tensor.tensor_content, np.uint8).reshape(-1, PIXELS)
        heads = np.ascontiguousarray(images[:, : HEAD.itemsize]).view(HEAD)[:, 0]
        response = wire.PredictResponse(model_spec=request.model_spec)
        response.model_spec.version.value = 1
        put(response, "probabilities", self.probabilities[request.model_spec.name][heads["test_image"]])
        return response

    def null_population(self, pair: tuple[str, str], runs: int, images: int, seed: int) -> Iterator[np.ndarray]:
        """Give, for each run, the test images of disagreements that either variant wins with probability ½."""
        first, second = (self.probabilities[variant].argmax(axis=1) == self.truth for variant in pair)
        sides = np.flatnonzero(first & ~second), np.flatnonzero(second & ~first)
        rng = np.random.default_rng(seed)
        for _ in range(runs):
            side = rng.integers(2, size=images)
            yield np.where(side, rng.choice(sides[1], images), rng.choice(sides[0], images))


def pixels(test_images: np.ndarray, first_number: int) -> bytes:
    """Return images that stand for these test images, numbered from `first_number` on."""
    heads = np.zeros(len(test_images), HEAD)
    heads["test_image"] = test_images
    heads["number"] = np.arange(first_number, first_number + len(test_images))
    raw = np.zeros((len(test_images), PIXELS), np.uint8)
    raw[:, : HEAD.itemsize] = heads.view(np.uint8).reshape(len(test_images), -1)
    return raw.tobytes()
