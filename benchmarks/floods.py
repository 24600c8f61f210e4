"""Ask a gateway while thousands of connections are opened: by itself, and behind the proxy of deploy/tls.

    python -m benchmarks.floods [--rounds N]

A steady client keeps to its pace before and during the attack `connections` of `make attack`. Prints its p99 of both,
in milliseconds, and their ratio. The proxy has its own configuration, without TLS; `refused` is a port beside the
gateway at which it refuses every connection: so much the flood costs this machine. Needs HAProxy.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testing import tls_proxy
from testing.attack.attackers import Attackers
from testing.attack.connections import FULL, crowd
from testing.attack.gateways import KEY, KEYS, running
from testing.attack.steady import Steady, figures
from testing.machine import listens
from testing.waiting import eventually

TLS = ' ssl crt "$TLS_CERTIFICATE" alpn h2,http/1.1'
LIMIT = "    tcp-request connection reject if"
UNDISTURBED_SECONDS, SECONDS = 8.0, 15.0
CLIENTS = 10
WAYS = ("gateway", "proxy", "refused")


def main() -> None:
    """Print a line a round and way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floods", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(default: %(default)s)")
    print(f"{'':10} {'p99 ms':>8} {'flooded':>8} {'ratio':>7} errors")
    for _ in range(parser.parse_args().rounds):
        for way in WAYS:
            measure(way)


def measure(way: str) -> None:
    """Run the steady client before and during the flood; print its figures."""
    with (
        Attackers() as attackers,
        running(api_keys=KEYS, trusted_proxies="127.0.0.1") as gateway,
        without_tls(gateway.port, refuses=way == "refused") as port,
        Steady(port if way == "proxy" else gateway.port, KEY, CLIENTS) as steady,
    ):
        time.sleep(UNDISTURBED_SECONDS)
        began = time.monotonic()
        flooded = gateway.port if way == "gateway" else port
        attackers.run(crowd, [(flooded, each, SECONDS) for each in FULL])
        slices = steady.finish()
    before, during = figures(slices, 0, began), figures(slices, began, float("inf"))
    ratio = during.p99_ms / before.p99_ms
    print(f"{way:10} {before.p99_ms:8.1f} {during.p99_ms:8.1f} {ratio:6.1f}× {during.errors.total()}", flush=True)


@contextmanager
def without_tls(gateway: int, *, refuses: bool) -> Iterator[int]:
    """Run the proxy without TLS before a gateway's port; give its own. It `refuses` all connections, or too many."""
    text = tls_proxy.CONFIG.read_text()
    assert TLS in text and LIMIT in text
    text = text.replace(TLS, "").replace(LIMIT, "    tcp-request connection reject\n" + LIMIT if refuses else LIMIT)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "haproxy.cfg"
        config.write_text(text)
        with tls_proxy.started(gateway, config) as proxy:
            eventually(lambda: listens(proxy.https_port), "the proxy to listen")
            yield proxy.https_port


if __name__ == "__main__":
    main()
