"""FastAPI with `async def` and orjson, no pydantic; the model through the eager signature that TensorFlow documents."""

import os

import numpy as np
import orjson
import tensorflow as tf
from fastapi import FastAPI, Request, Response

from benchmarks.serving.peers.answer import answer_of
from benchmarks.serving.peers.framing import pixels_of

model = tf.saved_model.load(os.environ["PEER_MODEL"]).signatures["serving_default"]
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> Response:
    """Say which digit each image shows."""
    return classify(np.array(orjson.loads(await request.body())["instances"], np.uint8))


@app.post("/predict/png")
async def predict_png(request: Request) -> Response:
    """Say which digit a PNG file shows."""
    return classify(pixels_of(await request.body())[np.newaxis])


def classify(pixels: np.ndarray) -> Response:
    """Run the model on uint8 `[n, 28, 28]`."""
    rows = model(images=tf.constant(pixels))["probabilities"].numpy()
    return Response(answer_of(rows), media_type="application/json")
