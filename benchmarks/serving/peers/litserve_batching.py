"""LitServe with its batching: up to 32 images, or those of 2 ms, in one run of the eager signature.

python -m benchmarks.serving.peers.litserve_batching PORT
"""

import os
import sys
from typing import Annotated, Any

import litserve
import numpy as np
import tensorflow as tf
from fastapi import Body

from benchmarks.serving.peers.framing import pixels_of

BATCHING: dict[str, Any] = {"max_batch_size": 32, "batch_timeout": 0.002}


class Digits(litserve.LitAPI):
    """Classify; what LitServe batches is one image a request."""

    def setup(self, device: str) -> None:
        """Load the model in the process that runs it."""
        self.model = tf.saved_model.load(os.environ["PEER_MODEL"]).signatures["serving_default"]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Run the model on uint8 `[n, 28, 28]`."""
        return self.model(images=tf.constant(x))["probabilities"].numpy()

    def encode_response(self, output: np.ndarray) -> dict:
        """Say which digit the image shows."""
        return {"predictions": [{"label": str(output.argmax()), "probabilities": output.tolist()}]}


class JsonDigits(Digits):
    """Take JSON."""

    def decode_request(self, request: dict) -> np.ndarray:
        """Return the image as uint8 `[28, 28]`."""
        return np.array(request["instances"][0], np.uint8)


class PngDigits(Digits):
    """Take a PNG file."""

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/png")]) -> np.ndarray:
        """Return the file's image as uint8 `[28, 28]`, framed as MNIST is."""
        return pixels_of(request)


if __name__ == "__main__":
    apis = [JsonDigits(**BATCHING), PngDigits(api_path="/predict/png", **BATCHING)]
    server = litserve.LitServer(apis, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
