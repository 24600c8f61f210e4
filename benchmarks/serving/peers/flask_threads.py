"""Flask with TensorFlow in process: the eager signature, `request.json`, `jsonify`."""

import os

import numpy as np
import tensorflow as tf
from flask import Flask, Response, jsonify, request

from benchmarks.serving.peers.framing import pixels_of

model = tf.saved_model.load(os.environ["PEER_MODEL"]).signatures["serving_default"]
app = Flask(__name__)


@app.post("/predict")
def predict() -> Response:
    """Say which digit each image shows."""
    return classify(np.array(request.json["instances"], np.uint8))


@app.post("/predict/png")
def predict_png() -> Response:
    """Say which digit a PNG file shows."""
    return classify(pixels_of(request.get_data())[np.newaxis])


def classify(pixels: np.ndarray) -> Response:
    """Run the model on uint8 `[n, 28, 28]`."""
    rows = model(images=tf.constant(pixels))["probabilities"].numpy()
    return jsonify(predictions=[{"label": str(row.argmax()), "probabilities": row.tolist()} for row in rows])
