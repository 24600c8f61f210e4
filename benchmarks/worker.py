"""A gateway worker: how long until it answers, and how much memory it keeps after so many images.

    python -m benchmarks.worker [--requests N] [--data DIR]

Needs published models (`make train`). Starts the model server and gunicorn with one worker on free ports, five times
for the time from `exec` to the first answer of `/healthz`; then posts PNG files over eight connections.
"""

import argparse
import itertools
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

from benchmarks.accuracy import CONNECTIONS, label_of_file, png
from testing.machine import free_port
from training.data import load

STARTS = 5
GUNICORN = ["gunicorn", "-c", "serving/gateway/server/gunicorn.conf.py"]


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description="Measure a gateway worker.")
    parser.add_argument("--requests", type=int, default=10_000, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    arguments = parser.parse_args()
    files = [png(image) for image in load(arguments.data).test_images]
    address = f"127.0.0.1:{free_port()}"
    flags = [f"--port={address.rpartition(':')[2]}", "--host=127.0.0.1", "--model_config_file=models/models.config"]
    model_server_command = ("serving.model_server", *flags, "--grpc_max_threads=256")
    with tempfile.TemporaryDirectory() as folder, running(*model_server_command) as model_server:
        wait_until(lambda: connects(address), model_server)
        times = []
        for start in range(STARTS):
            environment = {
                "GATEWAY_WORKERS": "1", "GATEWAY_PORT": str(free_port()), "GATEWAY_MODEL_SERVER": address,
                "GATEWAY_DATABASE_URL": f"sqlite:///{folder}/experiments.db",
            }  # fmt: skip
            url = f"http://127.0.0.1:{environment['GATEWAY_PORT']}"
            began = time.perf_counter()
            with running(*GUNICORN, **environment) as gateway:
                wait_until(lambda url=url: answers(f"{url}/healthz"), gateway)
                times.append(time.perf_counter() - began)
                if start == STARTS - 1:
                    print(f"ready after {statistics.median(times):.2f} s (median of {STARTS} starts)")
                    (worker,) = psutil.Process(gateway.pid).children()
                    print(f"resident at the start: {worker.memory_info().rss / 1e6:.0f} MB")
                    predict = f"{url}/predict"
                    with ThreadPoolExecutor(CONNECTIONS) as pool:
                        images = itertools.islice(itertools.cycle(files), arguments.requests)
                        answered = sum(1 for _ in pool.map(label_of_file, itertools.repeat(predict), images))
                    print(f"resident after {answered} PNG files: {worker.memory_info().rss / 1e6:.0f} MB")


@contextmanager
def running(module: str, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m module`, its log thrown away, for as long as the block takes."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_until(condition, process: subprocess.Popen[bytes]) -> None:
    """Wait until `condition` holds; end the benchmark if the process ends before."""
    while not condition():
        if process.poll() is not None:
            sys.exit(f"{process.args!r} ended with exit code {process.returncode}")
        time.sleep(0.01)


def connects(address: str) -> bool:
    """Say whether something listens at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def answers(url: str) -> bool:
    """Say whether a GET of `url` gets a good answer."""
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


if __name__ == "__main__":
    main()
