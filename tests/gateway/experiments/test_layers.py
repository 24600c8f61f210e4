from collections import Counter
from typing import Any

import pytest
from flask.testing import FlaskClient
from scipy.stats import chi2_contingency, chisquare

from serving.gateway.experiments.assignment import PARTS, Split
from serving.gateway.experiments.cache import Running, Snapshot
from serving.gateway.experiments.layers import free_segments, taken
from serving.gateway.store.experiments import phases_of
from testing.api import ADMIN, json_of
from testing.traffic import SPLIT, act, predict, start
from testing.waiting import eventually

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
UNITS = [f"unit {number}" for number in range(100_000)]
FEWER = UNITS[:20_000]
BY_CHANCE = 0.001


def of_layer(name: str, start: float, end: float, layer: str = "layer") -> Split:
    segments = [(round(start * PARTS), round(end * PARTS))]
    return Split(end - start, (0.7, 0.3), f"{name} in", f"{name} arm", layer, segments)


def test_two_experiments_of_a_layer_share_out_its_units() -> None:
    """None is in both, their shares are as set, and arms fall by the weights in either."""
    first, second = of_layer("first", 0.0, 0.5), of_layer("second", 0.5, 0.8)
    found = [(first.assign(unit), second.assign(unit)) for unit in UNITS]
    assert not any(a and b for a, b in found)
    groups = Counter("first" if a else "second" if b else "none" for a, b in found)
    expected = [0.5 * len(UNITS), 0.3 * len(UNITS), 0.2 * len(UNITS)]
    assert chisquare([groups[name] for name in ("first", "second", "none")], expected).pvalue > BY_CHANCE
    for half in zip(*found, strict=True):
        arms = Counter(each.arm for each in half if each)
        counts = [arms[0], arms[1]]
        assert chisquare(counts, [0.7 * sum(counts), 0.3 * sum(counts)]).pvalue > BY_CHANCE


def test_the_part_of_a_layer_says_nothing_of_the_arm_or_of_another_layer() -> None:
    whole = Split(1.0, (0.7, 0.3), "in", "arm", "layer", [(0, PARTS)])
    arms = [whole.assign(unit) for unit in FEWER]
    for layer in ("layer", "other"):
        lower = [of_layer("x", 0.0, 0.5, layer).assign(unit) is not None for unit in FEWER]
        table = Counter((a.arm if a else None, b) for a, b in zip(arms, lower, strict=True))
        assert chi2_contingency([[table[arm, half] for half in (True, False)] for arm in (0, 1)]).pvalue > BY_CHANCE
    halves = [[of_layer("x", 0, 0.5, name).assign(unit) is None for unit in FEWER] for name in ("layer", "other")]
    pairs = Counter(zip(*halves, strict=True))
    assert chi2_contingency([[pairs[a, b] for b in (True, False)] for a in (True, False)]).pvalue > BY_CHANCE


def test_segments() -> None:
    assert free_segments([]) == [(0, PARTS)]
    assert free_segments([(10, 20), (0, 5), (20, 30)]) == [(5, 10), (30, PARTS)]
    assert free_segments([(0, PARTS)]) == []
    assert taken(7, [(0, 5), (10, 20)]) == [(0, 5), (10, 12)]
    assert taken(5, [(0, 5), (10, 20)]) == [(0, 5)]
    assert taken(16, [(0, 5), (10, 20)]) is None


def running(number: int, **others: Any) -> Running:
    split = Split(1.0, (1.0,), "in", "arm")
    return Running(number, f"e{number}", ("a",), 0, False, 1e9, 1, 1, (1,), split, **others)


def test_the_order_in_which_experiments_are_asked() -> None:
    """Hold-backs, layers by their names, and the first one to start of those without."""
    every = [running(1), running(2), running(3, layer="b"), running(4, layer="a"), running(5, hold_back=True)]
    snapshot = Snapshot(running={each.name: each for each in every})
    assert [each.id for each in snapshot.answering] == [5, 4, 3, 1]


def layered(name: str, traffic: float, layer: str | None = "main") -> dict[str, Any]:
    return {**SPLIT, "name": name, "traffic": traffic, "layer": layer}


def segments(client: FlaskClient, number: int) -> Any:
    with client.application.extensions["gateway"].experiments.store.read() as connection:
        return [list(each) for each in phases_of(connection, number)[-1].segments]


def reweight(client: FlaskClient, name: str, traffic: float) -> int:
    body = {"weights": {"plain": 0.5, "dropout": 0.5}, "traffic": traffic}
    return client.post(f"/experiments/{name}/weights", json=body, headers=ADMIN).status_code


@BOTH
def test_a_layer_has_room_for_so_much(client: FlaskClient) -> None:
    start(client, layered("first", 0.5))
    start(client, layered("second", 0.4))
    start(client, layered("elsewhere", 1.0, "other"))
    client.post("/experiments", json=layered("third", 0.2), headers=ADMIN)
    refused = client.post("/experiments/third/start", json={}, headers=ADMIN)
    assert refused.status_code == 409
    assert json_of(refused)["detail"] == (
        "Layer 'main' has room for a traffic of 0.1, not 0.2: first, second take the rest. Stop one, or ask for less."
    )
    assert json_of(client.get("/experiments/third"))["status"] == "draft"
    act(client, "first", "pause")  # it keeps its share
    assert client.post("/experiments/third/start", json={}, headers=ADMIN).status_code == 409
    act(client, "first", "stop")
    act(client, "third", "start")
    assert segments(client, 1) == [[0, 500_000]]
    assert segments(client, 2) == [[500_000, 900_000]]
    assert segments(client, 4) == [[0, 200_000]]


@BOTH
def test_an_experiment_keeps_its_units_when_its_traffic_changes(client: FlaskClient) -> None:
    start(client, layered("first", 0.5))
    start(client, layered("second", 0.4))
    assert reweight(client, "first", 0.2) == 200
    assert segments(client, 1) == [[0, 200_000]]
    assert reweight(client, "second", 0.5) == 200
    assert segments(client, 2) == [[500_000, 900_000], [200_000, 300_000]]
    assert reweight(client, "first", 0.6) == 409
    assert reweight(client, "first", 0.5) == 200
    assert segments(client, 1) == [[0, 200_000], [300_000, 500_000], [900_000, 1_000_000]]


def test_requests_that_name_none_are_shared_out(client: FlaskClient) -> None:
    start(client, layered("first", 0.5))
    start(client, layered("second", 0.5))
    units = [f"unit {number}" for number in range(40)]
    eventually(lambda: {predict(client, 1, unit=unit)["experiment"] for unit in units} == {"first", "second"})
    for unit in units[:5]:
        assert len({predict(client, 1, unit=unit)["experiment"] for _ in range(3)}) == 1
    out = next(unit for unit in units if predict(client, 1, unit=unit)["experiment"] == "second")
    assert predict(client, 1, unit=out, query="?experiment=first")["experiment"] is None  # not even by its name
