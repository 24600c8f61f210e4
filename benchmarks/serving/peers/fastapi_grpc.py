"""FastAPI with `async def`, orjson and `grpc.aio`: one Predict call a request to a model server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import numpy as np
import orjson
from fastapi import FastAPI, Request, Response
from tensorflow_serving.apis import prediction_service_pb2_grpc

from benchmarks.serving.peers.answer import answer_of
from benchmarks.serving.peers.framing import pixels_of
from benchmarks.serving.peers.predict_call import ADDRESS, SECONDS, request_for, rows_of


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open one channel a worker, on its own event loop."""
    async with grpc.aio.insecure_channel(ADDRESS) as channel:
        app.state.service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
async def predict(request: Request) -> Response:
    """Say which digit each image shows."""
    return await classify(np.array(orjson.loads(await request.body())["instances"], np.uint8))


@app.post("/predict/png")
async def predict_png(request: Request) -> Response:
    """Say which digit a PNG file shows."""
    return await classify(pixels_of(await request.body())[np.newaxis])


async def classify(pixels: np.ndarray) -> Response:
    """Ask the model server about uint8 `[n, 28, 28]`."""
    response = await app.state.service.Predict(request_for(pixels), timeout=SECONDS)
    return Response(answer_of(rows_of(response)), media_type="application/json")
