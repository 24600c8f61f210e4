"""FastAPI as fast as it gets without batching: `async def`, the body and the answer through orjson, no pydantic.

The graph runs in the caller's thread through a session callable, a private function of TensorFlow: no other call of a
SavedModel costs less.
"""

import os

import numpy as np
import orjson
import tensorflow as tf
from fastapi import FastAPI, Request, Response
from tensorflow.core.protobuf import config_pb2

from benchmarks.serving.peers.answer import answer_of
from benchmarks.serving.peers.framing import pixels_of

ONE_THREAD = config_pb2.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
IN_CALLER = config_pb2.RunOptions(inter_op_thread_pool=-1)

session = tf.compat.v1.Session(graph=tf.Graph(), config=ONE_THREAD)
with session.graph.as_default():
    meta_graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], os.environ["PEER_MODEL"])
signature = meta_graph.signature_def["serving_default"]
model = session._make_callable_from_options(
    config_pb2.CallableOptions(
        feed=[signature.inputs["images"].name],
        fetch=[signature.outputs["probabilities"].name],
        run_options=IN_CALLER,
    )
)
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> Response:
    """Say which digit each image shows."""
    instances = orjson.loads(await request.body())["instances"]
    packed = b"".join(bytes(row) for image in instances for row in image)
    return classify(np.frombuffer(packed, np.uint8).reshape(-1, 28, 28))


@app.post("/predict/png")
async def predict_png(request: Request) -> Response:
    """Say which digit a PNG file shows."""
    return classify(pixels_of(await request.body())[np.newaxis])


def classify(pixels: np.ndarray) -> Response:
    """Run the model on uint8 `[n, 28, 28]`."""
    (rows,) = model(pixels)
    return Response(answer_of(rows), media_type="application/json")
