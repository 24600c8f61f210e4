"""A short form of `make verify-experiments`."""

import pytest
from flask.testing import FlaskClient

from testing.fake_model_server import FakeModelServer
from testing.simulation import Rates, simulate

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_equal_arms_are_not_told_apart(client: FlaskClient, fake_server: FakeModelServer) -> None:
    equal = Rates(control=0.03, challenger=0.03, both=0.02)
    every = list(simulate(client, fake_server, equal, experiments=10, images=600, batch=200, seed=1))
    assert {recommendation for looks in every for recommendation in looks} == {"continue"}


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_better_arm_is_found(client: FlaskClient, fake_server: FakeModelServer) -> None:
    better = Rates(control=0.10, challenger=0.02, both=0.02)
    *_, last = simulate(client, fake_server, better, experiments=5, images=1000, batch=500, seed=2)
    assert last == ["ship"] * 5
