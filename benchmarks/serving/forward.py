"""The bare forward pass of a SavedModel: what one process gets out of both cores without a server.

    python -m benchmarks.serving.forward FOLDER

For each line on the standard input, a number of seconds, it writes a line with images a second, in runs of 1,000
images. Two threads call a session that runs each call on one thread; or one thread calls a session that spreads a run
over the cores: the faster of the two counts.
"""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

IMAGES = 1000


def main() -> None:
    """Answer each line."""
    wide, narrow = forward_pass(sys.argv[1], 0), forward_pass(sys.argv[1], 1)
    for run in (wide, narrow):
        run()
    for line in sys.stdin:
        seconds = float(line) / 2
        print(max(rate(wide, 1, seconds), rate(narrow, 2, seconds)), flush=True)


def forward_pass(folder: str, intra_op_threads: int) -> Callable[[], Any]:
    """Return a run of the graph on 1,000 images through a session callable; 0 threads is one a core."""
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2

    config = config_pb2.ConfigProto(intra_op_parallelism_threads=intra_op_threads)
    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    with session.graph.as_default():
        meta_graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], folder)
    signature = meta_graph.signature_def["serving_default"]
    options = config_pb2.CallableOptions(
        feed=[signature.inputs["images"].name], fetch=[signature.outputs["probabilities"].name]
    )
    call = session._make_callable_from_options(options)
    pixels = np.random.default_rng(1).integers(0, 256, (IMAGES, 28, 28), np.uint8)
    return lambda: call(pixels)


def rate(run: Callable[[], Any], threads: int, seconds: float) -> float:
    """Return images a second when so many threads call `run` one time after the other."""
    runs = [0] * threads
    began = time.perf_counter()

    def work(number: int) -> None:
        while time.perf_counter() < began + seconds:
            run()
            runs[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(runs) * IMAGES / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
