"""Verify the protocols of other people's clients at length, each part with a gateway of its own.

    python -m benchmarks.protocols [PART …] [--units N] [--examples N] [--seconds S]

`units` asks OpenFeature's provider for the arm of 10,000 units, and holds each against /predict. `api` attacks the
paths of the protocols with schemathesis, at least 5,000 times. `speed` sends 1,000 images a request, as bytes of the
Open Inference Protocol and as octets to /predict, in turn. Ends with exit code 1 where a part fails.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import requests
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

from benchmarks.serving import wrk
from benchmarks.serving.bodies import RAW, Bodies
from benchmarks.serving.servers import THIS, started, write_models
from serving.gateway.web.infer_request import HEAD_LENGTH
from testing.api import ADMIN
from testing.attack import api
from testing.attack.gateways import running
from testing.traffic import RAW as OCTETS
from testing.traffic import SPLIT

PARTS = ("units", "api", "speed")
# Paths and their share of the examples: schemathesis takes a second to make up a request that has no body.
PATHS = {r"/infer$|^/ofrep|/exposures$": 1.0, r"^/v2(?!.*/infer$)": 0.05}
LEAST_CASES, LEAST_RATIO = 5000, 0.9
IMAGES, CONNECTIONS, ROUNDS = 1000, 4, 4


def main() -> int:
    """Run the parts; return the exit code."""
    arguments = parse()
    parts: dict[str, Callable[[], bool]] = {
        "units": lambda: verify_units(arguments.units),
        "api": lambda: verify_api(arguments.examples),
        "speed": lambda: verify_speed(arguments.models.resolve(), arguments.variant, arguments.seconds),
    }
    results = {name: parts[name]() for name in arguments.parts or parts}
    print(*(f"{'PASS' if good else 'FAIL'} {name}" for name, good in results.items()), sep="\n")
    return 0 if all(results.values()) else 1


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.protocols", description=__doc__.splitlines()[0])
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"of {', '.join(PARTS)} (default: all)"
    )
    parser.add_argument("--units", type=int, default=10_000, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--examples", type=int, default=600, metavar="N", help="an operation (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=4, metavar="S", help="of a run (default: %(default)s)")
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--variant", default="plain", help="(default: %(default)s)")
    return parser.parse_args()


def verify_units(count: int) -> bool:
    """Say whether the provider and /predict give each unit the same arm."""
    with running() as gateway, requests.Session() as session:
        requests.post(f"{gateway.url}/experiments", json=SPLIT, headers=ADMIN, timeout=10).raise_for_status()
        requests.post(f"{gateway.url}/experiments/test/start", headers=ADMIN, timeout=10).raise_for_status()
        provider, others, arms = OFREPProvider(gateway.url), 0, set()
        for number in range(count):
            unit = f"unit {number}"
            headers = {"Content-Type": OCTETS, "X-Unit-Id": unit}
            url = f"{gateway.url}/predict?experiment=test"
            predicted = session.post(url, data=bytes(784), headers=headers, timeout=10).json()["variant"]
            flag = provider.resolve_string_details("test", "", EvaluationContext(targeting_key=unit))
            others += flag.value != predicted
            arms.add(flag.value)
        provider.session.close()
    print(f"Units: {count:,}, in {len(arms)} arms, {others} of them in another arm by the provider", flush=True)
    return others == 0 and len(arms) == 2


def verify_api(examples: int) -> bool:
    """Say whether all answers to made-up requests are as the API is described, and none is a 5xx."""
    cases, failures = 0, ""
    for paths, share in PATHS.items():
        with tempfile.TemporaryDirectory() as folder, running() as gateway:
            came = api.attack(gateway, round(share * examples), Path(folder) / "report.json", paths=paths)
        cases, failures = cases + came.cases, failures + came.failures
    print(f"API: {cases:,} requests, {'failures:' if failures else 'no failure'}")
    print(failures, flush=True)
    return not failures and cases >= LEAST_CASES


def verify_speed(published: Path, variant: str, seconds: float) -> bool:
    """Say whether bytes of the Open Inference Protocol are answered about as fast as octets."""
    pixels = np.random.default_rng(1).integers(0, 256, IMAGES * 784, np.uint8).tobytes()
    tensor: dict[str, Any] = {"name": "images", "datatype": "UINT8", "shape": [IMAGES, 28, 28]}
    tensor["parameters"] = {"binary_data_size": len(pixels)}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    paths = {
        "/predict": (pixels, {}),
        f"/v2/models/{variant}/infer": (head + pixels, {HEAD_LENGTH: str(len(head))}),
    }
    rates: dict[str, list[float]] = {path: [] for path in paths}
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "published"
        write_models(published, variant, models)
        blank = json.dumps({"instances": [[0] * 784]}).encode()
        with started({"gateway": THIS}, models, blank) as servers:
            servers["gateway"].resume()
            for _ in range(ROUNDS):
                for path, (body, headers) in paths.items():
                    file = Path(folder) / "body"
                    file.write_bytes(b"%d\n%s" % (len(body), body))
                    bodies = Bodies(RAW, [body], file)
                    done = wrk.run(f"{servers['gateway'].url}{path}", bodies, CONNECTIONS, seconds, headers)
                    rates[path].append(IMAGES * done.rate)
    octets, infer = (statistics.median(each) for each in rates.values())
    print(f"Speed: {octets:,.0f} images a second by /predict, {infer:,.0f} by /v2: {infer / octets:.2f}", flush=True)
    return infer / octets >= LEAST_RATIO


if __name__ == "__main__":
    sys.exit(main())
