"""A gateway worker: seconds until it answers, and its memory after so many images.

    python -m benchmarks.worker [--requests N] [--data DIR]

Needs published models (`make train`). Starts the model server and gunicorn with one worker on free ports, five times
for the time from `exec` to the first answer of `/healthz`; then posts PNG files over eight connections.
"""

import argparse
import itertools
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.accuracy import CONNECTIONS, label_of_file, png
from testing.running_gateway import Gateway
from testing.running_model_server import running
from training.data import load

STARTS = 5


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker", description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    arguments = parser.parse_args()
    files = [png(image) for image in load(arguments.data).test_images[: arguments.requests]]
    flags = [f"--model_config_file={arguments.models / 'models.config'}", "--grpc_max_threads=256"]
    with running(*flags) as model_server, tempfile.TemporaryDirectory() as folder:
        shutil.copy(arguments.models / "manifest.json", folder)  # the gateway keeps its database beside it
        times = [start(Path(folder), model_server.grpc_address) for _ in range(STARTS)]
        print(f"ready after {statistics.median(times):.2f} s (median of {STARTS} starts)")
        with one_worker(Path(folder), model_server.grpc_address) as gateway:
            print(f"resident at the start: {megabytes(gateway):.0f} MB")
            images = itertools.islice(itertools.cycle(files), arguments.requests)
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                answered = len(list(pool.map(label_of_file, itertools.repeat(f"{gateway.url}/predict"), images)))
            print(f"resident after {answered:,} PNG files: {megabytes(gateway):.0f} MB")


def one_worker(models: Path, model_server: str) -> Gateway:
    """Start a gateway of one worker, and wait until it answers."""
    return Gateway(models, model_server, quiet=True, workers=1)


def start(models: Path, model_server: str) -> float:
    """Return the seconds from a gateway's start to its first answer."""
    began = time.perf_counter()
    with one_worker(models, model_server):
        return time.perf_counter() - began


def megabytes(gateway: Gateway) -> float:
    """Return the resident memory of the gateway's one worker."""
    (worker,) = gateway.workers()
    return worker.memory_info().rss / 1e6


if __name__ == "__main__":
    main()
