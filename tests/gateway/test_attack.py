"""No input breaks a running gateway; `make attack` looks for much longer."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from testing.attack import (
    addresses,
    api,
    buffers,
    connections,
    decoding,
    files,
    hosts,
    images,
    keys,
    logins,
    model_server,
    reading,
    retention,
    structure,
    unread,
)
from testing.attack.attackers import Attackers
from testing.attack.gateways import KEYS, running
from testing.attack.images import MOST_MEMORY
from testing.attack.seen import Seen
from testing.fake_model_server import FakeModelServer
from testing.running_gateway import Gateway

pytestmark = pytest.mark.slow

SETTINGS = {
    "api_keys": KEYS, "connections": 60, "connections_per_client": 30, "max_buffered_bytes": 64 * 2**20,
    "max_labels": retention.MOST, "decode_seconds": 60,  # this machine may be busy
}  # fmt: skip
SECONDS = 1.0
# In this order: the last ones leave something behind.
SHORT: dict[str, Callable[[Gateway, Attackers, float], Seen]] = {
    "keys": keys.attack,
    "files": files.attack,
    "hosts": hosts.attack,
    "unread": partial(unread.attack, cases=unread.CASES[::4]),
    "structure": partial(structure.attack, cases=structure.CASES[::5]),
    "buffers": partial(buffers.attack, bodies=12),
    "connections": partial(connections.attack, crowds=connections.SHORT),
    "connections with bodies": partial(connections.attack, crowds=connections.BODIES),
    "decoding": partial(decoding.attack, kinds=("PNG", "WEBP", decoding.TEXT)),
    "reading": reading.attack,
    "logins": logins.attack,
}
ALONE: dict[str, Callable[[], Seen]] = {
    "clients of IPv4 at [::]": addresses.attack,
    "a token of one letter": logins.short_token,
    "a rate of pixels": decoding.rate_counts_pixels,
    "the model server": model_server.attack,
}


@pytest.fixture
def gateway(manifest_folder: Path, fake_server: FakeModelServer) -> Iterator[Gateway]:
    with Gateway(manifest_folder, fake_server.address, quiet=True) as running:
        yield running


@pytest.fixture(scope="module")
def attackers() -> Iterator[Attackers]:
    with Attackers(niceness=0) as started:  # nothing is measured beside them
        yield started


@pytest.fixture(scope="module")
def protected() -> Iterator[Gateway]:
    """A gateway with keys and few connections, which all short attacks share."""
    with running(**SETTINGS) as gateway:
        yield gateway


def test_every_answer_is_as_the_api_is_described(gateway: Gateway, tmp_path: Path) -> None:
    came = api.attack(gateway, examples=5, report=tmp_path / "report.json")
    assert came.failures == ""
    assert came.cases > 1000
    assert len(gateway.workers()) == 2


def test_damaged_images_and_bombs_are_refused_or_read(gateway: Gateway) -> None:
    came = images.attack(gateway, count=1000)
    assert came.faults == []
    assert came.statuses.keys() == images.STATED
    assert (came.lost, came.peak < MOST_MEMORY) == (0, True)


@pytest.mark.parametrize("name", SHORT)
def test_a_known_weakness_is_mended(name: str, protected: Gateway, attackers: Attackers) -> None:
    workers = protected.workers()
    seen = SHORT[name](protected, attackers, SECONDS)
    assert seen.faults == []
    assert protected.workers() == workers


@pytest.mark.parametrize("name", ALONE)
def test_a_known_weakness_of_a_setting_is_mended(name: str) -> None:
    assert ALONE[name]().faults == []


def test_the_command_deletes_labels_above_the_bound(protected: Gateway) -> None:
    assert retention.by_command(protected).faults == []
