import json
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from serving.gateway.commands import propose
from serving.gateway.experiments.routing import named
from serving.gateway.learning.proposal import next_name
from serving.gateway.manifest import ManifestFile
from serving.gateway.store.store import Store
from testing.api import ADMIN, json_of
from testing.traffic import act

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


@pytest.fixture(autouse=True)
def adapted(manifest_folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call one of the manifest's variants a candidate, and add another."""
    file = manifest_folder / "manifest.json"
    content = json.loads(file.read_text().replace('"dropout"', '"adapted"', 1))
    [one] = [each for each in content["variants"] if each["name"] == "adapted"]
    content["variants"].append({**one, "name": "adapted_2"})
    file.write_text(json.dumps(content))
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database_url)
    monkeypatch.setenv("GATEWAY_MODELS_DIR", str(manifest_folder))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["propose", *arguments])
    return propose.main()


@BOTH
def test_a_candidate_gets_one_draft(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "adapted") == 0
    assert capsys.readouterr().out == (
        "The experiment adapted_v7 is a draft now; look at it and start it: "
        "http://127.0.0.1:8080/#/experiments/adapted_v7\n"
    )
    assert run(monkeypatch, "adapted", "--url=https://digits.example.org") == 0
    assert "exists already; look at it and start it: https://digits.example.org/#/exp" in capsys.readouterr().out
    [shown] = json_of(client.get("/experiments"))["experiments"]
    spec = json_of(client.get(f"/experiments/{shown['name']}"))
    assert (shown["status"], spec["paired"], spec["on_decision"]) == ("draft", True, "promote")
    assert {arm["variant"]: arm["weight"] for arm in spec["arms"]} == {spec["control"]: 1.0, "adapted": 0.0}


def test_a_new_candidate_replaces_neither_the_default_nor_an_arm(
    client: FlaskClient, store: Store, monkeypatch: pytest.MonkeyPatch, manifest_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    manifest = ManifestFile(manifest_folder / "manifest.json").current()

    def following() -> str:
        with store.read() as connection:
            return next_name(connection, manifest)

    assert following() == "adapted"
    assert run(monkeypatch, "adapted") == 0
    assert following() == "adapted"  # a draft may be for the next version
    act(client, "adapted_v7", "start")
    assert following() == "adapted_2"
    act(client, "adapted_v7", "stop")
    assert client.post("/variants/adapted/promote", json={}, headers=ADMIN).status_code == 200
    assert following() == "adapted_2"
    assert run(monkeypatch, "adapted_2") == 0
    act(client, f"adapted_2_v{named(manifest, 'adapted_2').version}", "start")
    assert following() == "adapted_3"
    assert run(monkeypatch, "adapted") == 1
    assert "The candidate 'adapted' is the default variant" in capsys.readouterr().err


def test_a_name_that_was_the_default_is_not_used_again(
    client: FlaskClient, store: Store, manifest_folder: Path
) -> None:  # fmt: skip
    """A rollback could make it the default, and so could the publication of another model under it."""
    file = manifest_folder / "manifest.json"
    assert client.post("/variants/adapted/promote", json={}, headers=ADMIN).status_code == 200
    content = json.loads(file.read_text())
    content["variants"] = [each for each in content["variants"] if each["name"] != "adapted"]
    file.write_text(json.dumps(content))
    with store.read() as connection:
        assert next_name(connection, ManifestFile(file).current()) == "adapted_2"
    assert client.post("/variants/plain/promote", json={}, headers=ADMIN).status_code == 200
    with store.read() as connection:
        assert next_name(connection, ManifestFile(file).current()) == "adapted_2"


def test_a_candidate_gets_another_draft_where_its_first_cannot_decide(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def named_experiment() -> str:
        assert run(monkeypatch, "adapted_2") == 0
        return capsys.readouterr().out.split(";")[0]

    assert named_experiment() == "The experiment adapted_2_v7 is a draft now"
    assert client.post("/variants/adapted/promote", json={}, headers=ADMIN).status_code == 200  # another control
    assert named_experiment() == "The experiment adapted_2_v7_2 is a draft now"
    act(client, "adapted_2_v7_2", "start")
    assert named_experiment() == "The experiment adapted_2_v7_2 exists already"
    act(client, "adapted_2_v7_2", "stop")
    assert named_experiment() == "The experiment adapted_2_v7_3 is a draft now"


def test_the_labels_name_the_candidate(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, f"--folder={tmp_path}") == 1
    (tmp_path / "candidate").write_text("adapted\n")
    assert run(monkeypatch, f"--folder={tmp_path}") == 0
    assert "The experiment adapted_v7 is a draft now" in capsys.readouterr().out


def test_an_unknown_candidate_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "other") == 1
    assert "propose: There is no variant 'other'; there are" in capsys.readouterr().err
