"""No input breaks a running gateway; `make attack` looks for much longer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.attack import api, images
from testing.attack.images import MOST_MEMORY
from testing.fake_model_server import FakeModelServer
from testing.running_gateway import Gateway

pytestmark = pytest.mark.slow


@pytest.fixture
def gateway(manifest_folder: Path, fake_server: FakeModelServer) -> Iterator[Gateway]:
    with Gateway(manifest_folder, fake_server.address, quiet=True) as running:
        yield running


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
