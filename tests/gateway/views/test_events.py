from flask.testing import FlaskClient

from testing.api import ADMIN, json_of


def test_the_last_events_are_listed(client: FlaskClient) -> None:
    assert json_of(client.get("/events")) == {"delivers": False, "events": []}
    client.post("/variants/dropout/promote", json={"by": "ada", "reason": "it is better"}, headers=ADMIN)
    client.post("/variants/rollback", json={"by": "ada"}, headers=ADMIN)
    newest, oldest = json_of(client.get("/events"))["events"]
    assert (oldest["type"], newest["type"]) == ("variant.promoted", "variant.rolled_back")
    assert oldest["data"] == {
        "variant": "dropout", "before": None, "who": "ada", "reason": "it is better", "experiment": None,
    }  # fmt: skip
    assert (newest["data"]["variant"], newest["data"]["before"]) == (None, "dropout")
    assert (oldest["state"], oldest["attempts"], oldest["error"]) == ("waiting", 0, None)
    assert oldest["id"].startswith("evt_")


def test_a_refused_change_makes_no_event(client: FlaskClient) -> None:
    assert client.post("/variants/rollback", json={}, headers=ADMIN).status_code == 409
    assert json_of(client.get("/events"))["events"] == []
