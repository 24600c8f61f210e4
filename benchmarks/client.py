"""Time `dropserve predict FOLDER` on 10,000 PNG files beside wrk, which sends the same files over as many connections.

    python -m benchmarks.client [--rounds N] [--connections N]

wrk sends one file a request, and so does the client with --batch 1. By default the client sends several a request, as
the API allows, and so spares the gateway work that wrk's requests cost. Both figures are printed, images a second each.
The gateway, the model server and the sender share this machine. The client's figure counts its start, reading the
folder, and printing every answer. Ends with exit code 1 where the default reaches less than GOAL of wrk's rate.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.accuracy import png
from benchmarks.serving import bodies, wrk
from benchmarks.serving.servers import GATEWAY, THIS, Running, started, write_models
from testing.machine import ROOT
from training.data import load

GOAL = 0.8
WRK_SECONDS = 5
COMMAND = (sys.executable, "-m", "dropserve.command.main", "predict")


def main() -> int:
    """Measure both in turn; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.client", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--connections", type=int, default=8, metavar="N", help="(default: %(default)s)")
    arguments = parser.parse_args()
    files = [png(image) for image in load(Path("data")).test_images]
    rates: dict[str, list[float]] = {"wrk": [], "client, one a request": [], "client": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (images := folder / "images").mkdir()
        for number, file in enumerate(files):
            (images / f"{number:05}.png").write_bytes(file)
        loads = bodies.write(folder / "png", bodies.PNG, files)
        write_models(Path("models").resolve(), "l2", folder / "models")
        with started({GATEWAY: THIS}, folder / "models", b'{"instances": [%s]}' % str([[0] * 28] * 28).encode()) as all:
            (gateway := all[GATEWAY]).resume()
            for _ in range(arguments.rounds):
                url, connections = f"{gateway.url}/predict", arguments.connections
                rates["wrk"].append(wrk.run(url, loads, connections, WRK_SECONDS).rate)
                for name, options in (("client, one a request", ("--batch", "1")), ("client", ())):
                    rates[name].append(client(gateway, images, len(files), connections, options))
    for name, seen in rates.items():
        print(f"{name:22}  {statistics.median(seen):8,.0f} images/s  (from {min(seen):,.0f} to {max(seen):,.0f})")
    ratios = {name: statistics.median(a / b for a, b in zip(rates[name], rates["wrk"], strict=True)) for name in rates}
    print(f"beside wrk: {ratios['client']:.2f}×, one a request {ratios['client, one a request']:.2f}×; goal {GOAL}×")
    return 0 if ratios["client"] >= GOAL else 1


def client(gateway: Running, images: Path, count: int, connections: int, options: tuple[str, ...]) -> float:
    """Return the images a second of one run of the command, from its start to its end."""
    command = (*COMMAND, str(images), "--json", "--url", gateway.url, "--connections", str(connections), *options)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients/python/src")}
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        subprocess.run(command, env=environment, stdout=out, check=True)
        seconds = time.perf_counter() - began
        out.seek(0)
        if (lines := sum(1 for _ in out)) != count:
            raise RuntimeError(f"the client printed {lines} answers for {count} images")
    return count / seconds


if __name__ == "__main__":
    sys.exit(main())
