"""Flask on gunicorn's threads with orjson and grpcio: one Predict call a request to a model server."""

import grpc
import numpy as np
import orjson
from flask import Flask, Response, request
from tensorflow_serving.apis import prediction_service_pb2_grpc

from benchmarks.serving.peers.answer import answer_of
from benchmarks.serving.peers.framing import pixels_of
from benchmarks.serving.peers.predict_call import ADDRESS, SECONDS, request_for, rows_of

service = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(ADDRESS))
app = Flask(__name__)


@app.post("/predict")
def predict() -> Response:
    """Say which digit each image shows."""
    return classify(np.array(orjson.loads(request.get_data())["instances"], np.uint8))


@app.post("/predict/png")
def predict_png() -> Response:
    """Say which digit a PNG file shows."""
    return classify(pixels_of(request.get_data())[np.newaxis])


def classify(pixels: np.ndarray) -> Response:
    """Ask the model server about uint8 `[n, 28, 28]`."""
    response = service.Predict(request_for(pixels), timeout=SECONDS)
    return Response(answer_of(rows_of(response)), mimetype="application/json")
