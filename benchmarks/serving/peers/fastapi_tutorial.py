"""FastAPI as its tutorial writes it: a pydantic body, `def`, a list of floats back; TensorFlow's eager signature."""

import os
from typing import Annotated

import numpy as np
import tensorflow as tf
from fastapi import Body, FastAPI
from pydantic import BaseModel

from benchmarks.serving.peers.framing import pixels_of

model = tf.saved_model.load(os.environ["PEER_MODEL"]).signatures["serving_default"]
app = FastAPI()


class Instances(BaseModel):
    """Images, row by row."""

    instances: list[list[list[int]]]


class Prediction(BaseModel):
    """The digit that one image shows."""

    label: str
    confidence: float
    probabilities: list[float]


class Predictions(BaseModel):
    """One prediction an image."""

    predictions: list[Prediction]


@app.post("/predict")
def predict(images: Instances) -> Predictions:
    """Say which digit each image shows."""
    return classify(np.array(images.instances, np.uint8))


@app.post("/predict/png")
def predict_png(file: Annotated[bytes, Body(media_type="image/png")]) -> Predictions:
    """Say which digit a PNG file shows."""
    return classify(pixels_of(file)[np.newaxis])


def classify(pixels: np.ndarray) -> Predictions:
    """Run the model on uint8 `[n, 28, 28]`."""
    rows = model(images=tf.constant(pixels))["probabilities"].numpy()
    return Predictions(
        predictions=[
            Prediction(label=str(row.argmax()), confidence=row.max(), probabilities=row.tolist()) for row in rows
        ]
    )
