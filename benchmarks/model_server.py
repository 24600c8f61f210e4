"""Measure the embedded model server; print a table, then the same as one line of JSON.

    python -m benchmarks.model_server [--rounds N] [--against DIR]  calls under load, batching, ways of running a graph
    python -m benchmarks.model_server soak [--reloads N]            memory over so many new versions

DIR is another checkout with its own `.venv`, whose server is measured beside this one. All alternatives are measured in
turns, many times, and the median is shown: on a shared machine read the ratios.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil

from testing.machine import ROOT, free_port
from testing.running_model_server import connected

PREDICT = "/tensorflow.serving.PredictionService/Predict"
LOADS = ((1, 1), (1, 4), (1, 16), (1, 64), (16, 2), (64, 2), (1000, 2))  # images a call, calls in flight
LOAD_SECONDS = 1.0
LARGE = 1000
BATCHING = """max_batch_size { value: 32 } batch_timeout_micros { value: 2000 } num_batch_threads { value: 1 }
max_enqueued_batches { value: 100 }"""
PERCEPTRON = (784, 256, 128, 64, 32, 10)


@contextlib.contextmanager
def serving(folder: Path, *flags: str, checkout: Path = ROOT) -> Iterator[tuple[int, psutil.Process]]:
    """Start a server for the one model in `folder`; return its port and its process."""
    port = free_port()
    python = sys.executable if checkout == ROOT else str(checkout / ".venv" / "bin" / "python")
    command = [python, "-m", "serving.model_server", "--host=127.0.0.1", f"--port={port}", *flags]
    process = subprocess.Popen([*command, f"--model_base_path={folder}"], cwd=checkout, stderr=subprocess.DEVNULL)
    try:
        with connected(f"127.0.0.1:{port}"):
            yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def in_turns(rounds: int, **measures: Callable[[], float]) -> dict[str, float]:
    """Take all measures one after the other, `rounds` times; return the median of each."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for measure in measures.values():
        measure()  # the first time is for warming up
    for _ in range(rounds):
        for name, measure in measures.items():
            taken[name].append(measure())
    return {name: statistics.median(values) for name, values in taken.items()}


def per_second(action: Callable[[], Any], times: int) -> float:
    """Return how often a second `action` can be done."""
    started = time.perf_counter()
    for _ in range(times):
        action()
    return times / (time.perf_counter() - started)


def request(images: int) -> Any:
    """Return a PredictRequest with so many images."""
    from tensorflow_serving.apis import predict_pb2

    message = predict_pb2.PredictRequest()
    message.model_spec.name = "default"
    tensor = message.inputs["images"]
    tensor.dtype = 4
    tensor.tensor_content = np.random.default_rng(1).integers(0, 256, images * 784, np.uint8).tobytes()
    for size in (images, 28, 28):
        tensor.tensor_shape.dim.add(size=size)
    return message


async def load(port: int, body: bytes, in_flight: int) -> int:
    """Make calls for a while, so many at a time, as the gateway does; return how many were answered."""
    until = time.perf_counter() + LOAD_SECONDS
    answered = 0

    async def call_repeatedly(call: Any) -> None:
        nonlocal answered
        while time.perf_counter() < until:
            await call(body, timeout=60)
            answered += 1

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary(PREDICT)
        await asyncio.gather(*(call_repeatedly(call) for _ in range(in_flight)))
    return answered


def cost(port: int, process: psutil.Process, body: bytes, in_flight: int) -> tuple[float, float]:
    """Return calls a second, and microseconds of the server's processor time a call."""
    started, used = time.perf_counter(), sum(process.cpu_times()[:2])
    answered = asyncio.run(load(port, body, in_flight))
    seconds, used = time.perf_counter() - started, sum(process.cpu_times()[:2]) - used
    return answered / seconds, 1e6 * used / answered


def measure_calls(rounds: int, against: Path | None) -> None:
    """Measure all `LOADS` on servers without and with batching, of this checkout and of another; print a table."""
    from testing.saved_models import write_pixels

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_pixels(folder / "perceptron" / "1", PERCEPTRON)
        (folder / "batching").write_text(BATCHING)
        batching = ("--enable_batching", f"--batching_parameters_file={folder}/batching", "--grpc_max_threads=64")
        servers = {
            f"{name}{kind}": stack.enter_context(serving(folder / "perceptron", *flags, checkout=checkout))
            for name, checkout in {"this": ROOT, **({"other": against} if against else {})}.items()
            for kind, flags in {"": ("--grpc_max_threads=64",), ", batching": batching}.items()
        }
        results = {}
        for images, in_flight in LOADS:
            body = request(images).SerializeToString()
            taken: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
            for _ in range(rounds + 1):
                for name, (port, process) in servers.items():
                    taken[name].append(cost(port, process, body, in_flight))
            for name, costs in taken.items():
                speed, micros = (statistics.median(column) for column in zip(*costs[1:], strict=True))  # 0: warm-up
                title = f"{images} images a call, {in_flight} in flight: {name}"
                results[title] = {"calls/s": speed, "µs a call": micros}
                print(f"{title:50} {speed:8,.0f} calls/s {micros:8,.0f} µs of processor time a call", flush=True)
        memory = {name: process.memory_info().rss / 2**20 for name, (_, process) in servers.items()}
    print("  ".join(f"{name}: {value:,.0f} MiB" for name, value in memory.items()))
    print(json.dumps({**results, "MiB": memory}, ensure_ascii=False))


def compare_large(folder: Path, rounds: int) -> dict[str, float]:
    """Return 1,000-image calls a second beside forward passes a second without a server."""
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    message = request(LARGE)
    forward = callable_of(folder, LARGE)
    with serving(folder) as (port, _), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        result = in_turns(
            rounds,
            bare=lambda: per_second(forward, 30),
            call=lambda: per_second(lambda: stub.Predict(message, timeout=60), 30),
        )
    return {**result, "ratio": result["call"] / result["bare"]}


def callable_of(folder: Path, images: int) -> Callable[[], Any]:
    """Return a forward pass as the server makes it: a session callable."""
    from serving.model_server.models.servable import Servable, session_config

    servable = Servable("default", 1, str(folder / "1"), ["serve"], session_config(0, 0))
    signature = servable.signatures["serving_default"]
    feeds = {signature.inputs["images"].name: np.zeros((images, 28, 28), np.uint8)}
    fetches = [signature.outputs["probabilities"].name]
    return lambda: servable.run(feeds, fetches)


def compare_ways(folder: Path, rounds: int, images: int) -> dict[str, float]:
    """Return microseconds a forward pass takes: session callable, Session.run, eager signature."""
    import tensorflow as tf

    batch = np.zeros((images, 28, 28), np.uint8)
    eager = tf.saved_model.load(str(folder / "1")).signatures["serving_default"]
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder / "1"))
    signature = graph.signature_def["serving_default"]
    fetch, feed = signature.outputs["probabilities"].name, signature.inputs["images"].name
    forward = callable_of(folder, images)
    times = max(20, 1000 // images)
    speeds = in_turns(
        rounds,
        callable=lambda: per_second(forward, times),
        session_run=lambda: per_second(lambda: session.run(fetch, {feed: batch}), times),
        eager=lambda: per_second(lambda: eager(images=tf.constant(batch))["probabilities"].numpy(), times),
    )
    return {name: 1e6 / speed for name, speed in speeds.items()}


def write_convolutions(folder: Path) -> None:
    """Write a small network of convolutions with the signature of the digit classifiers: 16 and 32 of 3 × 3."""
    import tensorflow as tf

    module = tf.Module()
    random = tf.random.Generator.from_seed(1)
    shapes = ((3, 3, 1, 16), (3, 3, 16, 32), (4608, 64), (64, 10))
    module.weights = [tf.Variable(random.normal(shape, stddev=0.05)) for shape in shapes]

    @tf.function(input_signature=[tf.TensorSpec([None, 28, 28], tf.uint8, "images")])
    def forward(images: Any) -> dict[str, Any]:
        one, two, three, four = module.weights
        layer = tf.cast(images, tf.float32)[..., None] / 255
        layer = tf.nn.relu(tf.nn.conv2d(layer, one, 1, "VALID"))
        layer = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(layer, two, 1, "VALID")), 2, 2, "VALID")
        layer = tf.nn.relu(tf.reshape(layer, [-1, 4608]) @ three)
        return {"probabilities": tf.nn.softmax(layer @ four)}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": forward})


def measure(rounds: int) -> None:
    """Measure all and print it."""
    from testing.saved_models import write_pixels

    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pixels(folder / "perceptron" / "1", PERCEPTRON)
        write_convolutions(folder / "convolutions" / "1")
        for network in ("perceptron", "convolutions"):
            path = folder / network
            results[f"{network}: {LARGE}-image calls/s"] = compare_large(path, rounds)
            for images in (1, LARGE):
                results[f"{network}: µs for {images} images"] = compare_ways(path, rounds, images)
    for title, numbers in results.items():
        cells = "  ".join(
            f"{key} {value:,.2f}" if value < 10 else f"{key} {value:,.0f}" for key, value in numbers.items()
        )
        print(f"{title:62} {cells}")
    print(json.dumps(results, ensure_ascii=False))


def soak(reloads: int) -> None:
    """Publish so many versions one after the other under a steady load, and print the growth of memory."""
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    from testing.saved_models import write_pixels

    message = request(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        write_pixels(folder / "1", PERCEPTRON)
        with (
            serving(folder, "--file_system_poll_wait_seconds=0.05") as (port, process),
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            memory, calls = [], 0
            for number in range(2, reloads + 2):
                shutil.copytree(folder / str(number - 1), folder / ".next")
                (folder / ".next").rename(folder / str(number))
                while stub.Predict(message, timeout=60).model_spec.version.value != number:
                    calls += 1
                shutil.rmtree(folder / str(number - 1))
                memory.append(process.memory_info().rss / 2**20)
    start = memory[min(20, len(memory) - 1)]
    report = {"reloads": reloads, "calls": calls, "MiB": [round(start), round(memory[-1])], "grown": memory[-1] - start}
    print(f"{reloads} reloads, {calls:,} calls, none failed: {start:.0f} MiB after 20, {memory[-1]:.0f} MiB at the end")
    print(json.dumps(report))


def main() -> None:
    """Parse arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=["measure", "soak"], default="measure")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--reloads", type=int, default=500)
    parser.add_argument("--against", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if arguments.what == "soak":
        soak(arguments.reloads)
    else:
        measure_calls(arguments.rounds, arguments.against)
        measure(arguments.rounds)


if __name__ == "__main__":
    main()
