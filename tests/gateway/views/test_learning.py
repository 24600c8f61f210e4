import sys
import threading
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from serving.gateway.commands import forget
from serving.gateway.experiments.assignment import unit_name
from serving.gateway.store.exposures import lock
from serving.gateway.store.store import Store
from serving.gateway.store.tables import exposures, feedback, images, phases, unit_results, units
from serving.gateway.views.learning import ForgetAnswer, LearningAnswer
from testing.api import ADMIN, json_of
from testing.databases import lock_waits
from testing.fake_model_server import FakeModelServer, shifted
from testing.traffic import PAIRED, SPLIT, label, predict, report, start
from testing.waiting import eventually

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


def learning(client: FlaskClient) -> Any:
    answer = client.get("/learning")
    LearningAnswer.model_validate_json(answer.data)
    return json_of(answer)


def forgotten(client: FlaskClient, **whose: str) -> Any:
    answer = client.post("/learning/forget", json=whose, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    ForgetAnswer.model_validate_json(answer.data)
    said = json_of(answer)
    assert said.pop("image_sets").startswith("Run make labels or make forget where image sets lie")
    return said


def labelled(client: FlaskClient, unit: str, *digits: int) -> list[str]:
    """Have images of a unit answered and labelled, and wait until they are kept; return the predictions' ids."""
    before = learning(client)["labelled"]
    ids = [each["id"] for each in predict(client, *digits, unit=unit)["predictions"]]
    for each, digit in zip(ids, digits, strict=True):
        assert label(client, each, str(digit)) == 201
    eventually(lambda: learning(client)["labelled"] == before + len(digits))
    return ids


def test_nothing_is_kept_by_default(client: FlaskClient) -> None:
    [prediction] = predict(client, 3)["predictions"]
    label(client, prediction["id"], "3")
    client.application.extensions["gateway"].keeper.close()
    assert learning(client) == {"most": 0, "waiting": 0, "labelled": 0, "units": 0, "labels": {}, "sources": {}}


@BOTH
def test_labelled_images_are_counted(keeping: FlaskClient) -> None:
    predict(keeping, 5)
    labelled(keeping, "a", 3, 4)
    labelled(keeping, "b", 3)
    eventually(lambda: learning(keeping)["waiting"] == 1)
    assert learning(keeping) == {
        "most": 100, "waiting": 1, "labelled": 3, "units": 2, "labels": {"3": 2, "4": 1},
        "sources": {"ground_truth": 3},
    }  # fmt: skip


@BOTH
def test_a_prediction_is_forgotten(keeping: FlaskClient) -> None:
    first, _ = labelled(keeping, "a", 3, 4)
    assert forgotten(keeping, prediction_id=first) == {"images": 1, "labels": 1}
    assert learning(keeping)["labels"] == {"4": 1}
    assert json_of(keeping.get(f"/feedback/{first}"))["labels"] == []
    assert forgotten(keeping, prediction_id=first) == {"images": 0, "labels": 0}


@BOTH
def test_a_unit_is_forgotten_in_experiments_too(keeping: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    start(keeping, PAIRED)
    labelled(keeping, "b", 5)
    one, _ = labelled(keeping, "a", 3, 4)
    predict(keeping, 6, unit="a")  # waits in the label queue
    queue = "/experiments/test/disagreements"
    eventually(lambda: json_of(keeping.get(queue))["waiting"] == 1)
    eventually(lambda: learning(keeping)["waiting"] == 1)
    before = report(keeping)["counts"]
    assert forgotten(keeping, unit="a") == {"images": 4, "labels": 2}
    assert (learning(keeping)["labels"], learning(keeping)["waiting"]) == ({"5": 1}, 0)
    assert json_of(keeping.get(queue))["waiting"] == 0
    assert json_of(keeping.get(f"/feedback/{one}"))["labels"] == []
    assert report(keeping)["counts"] == before | {"waiting": 0}


@BOTH
@pytest.mark.parametrize("spec", [PAIRED, SPLIT])
def test_what_experiments_count_leads_to_a_forgotten_unit_no_more(
    keeping: FlaskClient, fake_server: FakeModelServer, store: Store, spec: dict[str, Any]
) -> None:
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    start(keeping, spec)
    labelled(keeping, "b", 5)
    labelled(keeping, "a", 3, 4)
    all_of_them = 3 if spec is PAIRED else 2  # images, or units
    eventually(lambda: report(keeping)["counts"]["labelled"] == all_of_them and len(of_units(store)[0]) == 2)
    if spec is PAIRED:
        eventually(lambda: report(keeping)["counts"]["compared"] == 3)
    before, rows = report(keeping), of_units(store)
    forgotten(keeping, unit="a")
    after = of_units(store)
    with store.read() as connection:
        salt = connection.execute(select(phases.c.traffic_salt)).scalar_one()
    one, other = unit_name(salt, "a"), unit_name(salt, "b")
    [new] = {unit for of_table in after for unit in of_table} - {other}
    assert new != one
    assert after == [sorted(new if unit == one else unit for unit in of_table) for of_table in rows]
    assert report(keeping)["counts"] == before["counts"]
    labelled(keeping, "a", 6)  # comes as another unit
    eventually(lambda: report(keeping)["counts"]["labelled"] == before["counts"]["labelled"] + 1)


@BOTH
def test_a_unit_is_forgotten_by_the_names_that_earlier_releases_gave(
    keeping: FlaskClient, fake_server: FakeModelServer, store: Store
) -> None:
    """They named it by the salt for the arms, and took another salt for the traffic in each phase."""
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    start(keeping, PAIRED)
    labelled(keeping, "a", 3)
    eventually(lambda: report(keeping)["counts"]["compared"] == 1)
    with store.write() as connection:
        first = connection.execute(select(phases)).one()
        earlier = unit_name(first.arm_salt, "a")
        for table in (exposures, images, units, unit_results, feedback):
            connection.execute(update(table).values(unit=earlier))
        later = first._asdict() | {"number": 2, "traffic_salt": "other", "arm_salt": "another"}
        connection.execute(insert(phases).values(later))
    assert forgotten(keeping, unit="a")["labels"] == 1
    assert earlier not in {unit for of_table in of_units(store) for unit in of_table}


@BOTH
def test_a_prediction_is_forgotten_as_image_sets_name_it(
    keeping: FlaskClient, fake_server: FakeModelServer, store: Store
) -> None:
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    labelled(keeping, "b", 5)
    start(keeping, PAIRED)
    labelled(keeping, "a", 3)
    with store.read() as connection:
        outside, inside = connection.execute(select(feedback.c.prediction).order_by(feedback.c.at)).scalars()
    for prediction in (outside, inside):
        assert forgotten(keeping, prediction_id=prediction) == {"images": 1, "labels": 1}
    assert learning(keeping)["labelled"] == 0
    gone = keeping.post("/learning/forget", json={"prediction_id": inside}, headers=ADMIN)
    assert gone.status_code == 404


def of_units(store: Store) -> list[list[int]]:
    """Return the units that each table names, a row each."""
    with store.read() as connection:
        return [
            list(connection.execute(select(table.c.unit).order_by(table.c.unit)).scalars())
            for table in (exposures, images, units, unit_results)
        ]


@BOTH
def test_a_label_at_the_same_time_brings_no_pixels_back(
    keeping: FlaskClient, fake_server: FakeModelServer, store: Store, database_kind: str
) -> None:
    if database_kind == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    start(keeping, PAIRED)
    [prediction] = predict(keeping, 6, unit="a")["predictions"]
    eventually(lambda: json_of(keeping.get("/experiments/test/disagreements"))["waiting"] == 1)
    forgetting = [
        threading.Thread(target=forgotten, args=(keeping,), kwargs=whose)
        for whose in ({"unit": "a"}, {"prediction_id": prediction["id"]})
    ]
    with store.write() as connection:
        [row] = connection.execute(select(images)).all()
        lock(connection, [row.experiment_id])
        for thread in forgetting:
            thread.start()
        eventually(lambda: lock_waits(store) >= len(forgetting), "both to wait for the lock")
        connection.execute(update(images).values(pixels=row.pixels, prediction_id=row.prediction_id))
    for thread in forgetting:
        thread.join()
    with store.read() as connection:
        assert connection.execute(select(images.c.pixels)).scalars().all() == [None]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"prediction_id": "x"}, 404, "There is no prediction 'x'"),
        ({"prediction_id": "0" * 24 + ".0"}, 404, "There is no prediction '000"),
        ({}, 422, "give either prediction_id or unit"),
        ({"prediction_id": "x", "unit": "y"}, 422, "give either prediction_id or unit"),
        ({"unit": "x" * 201}, 422, "/unit"),
    ],
)
def test_bad_requests_are_refused(client: FlaskClient, body: dict[str, str], status: int, text: str) -> None:
    answer = client.post("/learning/forget", json=body, headers=ADMIN)
    assert (answer.status_code, text in json_of(answer)["detail"]) == (status, True), answer.text


def test_the_command_forgets(
    keeping: FlaskClient, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *_ = labelled(keeping, "a", 3, 4)
    labelled(keeping, "-b", 5)
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database_url)
    for arguments, code, said in [
        (("--prediction", first), 0, "Deleted 1 images and 1 labels.\n"),
        (("--unit", "a"), 0, "Deleted 1 images and 1 labels.\n"),
        (("--unit", "-b"), 0, "Deleted 1 images and 1 labels.\n"),
        (("--prediction", "-x"), 1, "forget: There is no prediction '-x'; /predict and image sets name predictions.\n"),
    ]:
        monkeypatch.setattr(sys, "argv", ["forget", *arguments])
        assert forget.main() == code
        captured = capsys.readouterr()
        assert (captured.err if code else captured.out) == said
    assert learning(keeping)["labelled"] == 0
