import pytest
from flask.testing import FlaskClient

from serving.gateway.access.api_keys import digest
from testing.api import ADMIN, json_of
from tests.gateway.conftest import MakeClient

GUESS = "Bearer guess"
KEY = {"Authorization": "Bearer one"}
PREDICT = {"data": bytes(784), "content_type": "application/octet-stream"}


@pytest.fixture
def locked(make_client: MakeClient) -> FlaskClient:
    return make_client(api_keys=f"{digest('one')},{digest('two')}")


@pytest.mark.parametrize("path", ["/predict", "/compare"])
def test_a_key_opens_predictions(locked: FlaskClient, path: str) -> None:
    assert locked.post(path, headers=KEY, **PREDICT).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/compare"])
@pytest.mark.parametrize("given", [None, "Bearer three", "Basic one", "Bearer", "Bearer \xe9"])
def test_without_they_are_closed(locked: FlaskClient, path: str, given: str | None) -> None:
    answer = locked.post(path, headers={"Authorization": given} if given else {}, **PREDICT)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert json_of(answer)["detail"].startswith("Send the header 'Authorization: Bearer KEY' with a key of scope pre")
    assert b'gateway_refused_total{reason="key"} 1.0' in locked.get("/metrics").data


@pytest.mark.parametrize("path", ["/predict", "/compare"])
def test_a_labellers_key_opens_predictions(make_client: MakeClient, path: str) -> None:
    client = make_client(api_keys=f"{digest('two')},label:{digest('one')}")
    assert client.post(path, headers=KEY, **PREDICT).status_code == 200
    assert client.post(path, **PREDICT).status_code == 401


@pytest.mark.parametrize("path", ["/predict", "/compare"])
@pytest.mark.parametrize("headers", [{}, KEY, {"Authorization": "Bearer three"}])
def test_labellers_keys_alone_close_nothing(make_client: MakeClient, path: str, headers: dict[str, str]) -> None:
    client = make_client(api_keys=f"label:{digest('one')}")
    assert client.post(path, headers=headers, **PREDICT).status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/variants", "/docs"])
def test_the_rest_stays_open(locked: FlaskClient, path: str) -> None:
    with locked.get(path) as answer:
        assert answer.status_code == 200


def take(client: FlaskClient, times: int, **more: str) -> list[int]:
    return [client.post("/predict", headers=more, **PREDICT).status_code for _ in range(times)]


def test_who_asks_too_often_is_told_when_to_come_again(make_client: MakeClient) -> None:
    client = make_client(rate_limit=2, rate_burst=2)
    assert take(client, 3) == [200, 200, 429]
    answer = client.get("/variants")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")
    assert json_of(answer)["detail"] == "A client may make 2 requests a minute (GATEWAY_RATE_LIMIT); wait a little."
    assert client.get("/metrics").status_code == 429
    assert b'gateway_refused_total{reason="rate"} 3.0' in client.application.extensions["gateway"].metrics.text()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs/static/images/swagger.svg"])
def test_watching_and_the_pages_parts_are_not_counted(make_client: MakeClient, path: str) -> None:
    client = make_client(rate_limit=1, rate_burst=1)
    for _ in range(3):
        with client.get(path) as answer:
            assert answer.status_code == 200
    assert take(client, 2) == [200, 429]


def test_keys_are_counted_apart_and_those_who_guess_by_their_address(make_client: MakeClient) -> None:
    client = make_client(rate_limit=1, rate_burst=1, api_keys=f"{digest('one')},label:{digest('two')}")
    statuses = [take(client, 2, Authorization=f"Bearer {key}") for key in ("one", "two", "guess", "again")]
    assert statuses == [[200, 429], [200, 429], [401, 429], [429, 429]]


def test_browsers_questions_are_counted(make_client: MakeClient) -> None:
    client = make_client(rate_limit=1, rate_burst=2)
    assert [client.options(path).status_code for path in ("/predict", "/variants", "/predict")] == [200, 200, 429]
    assert [client.options("/healthz").status_code for _ in range(3)] == [200] * 3


def test_clients_behind_a_trusted_proxy_are_counted_apart(make_client: MakeClient) -> None:
    client = make_client(rate_limit=1, rate_burst=1, trusted_proxies="127.0.0.1")
    chains = ["1.1.1.1", "9.9.9.9, 1.1.1.1", "2.2.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:1::1"]
    statuses = [take(client, 1, **{"X-Forwarded-For": chain}) for chain in chains]
    assert statuses == [[200], [429], [200], [200], [429], [200]]


def test_what_anybody_else_says_of_itself_is_not_believed(make_client: MakeClient) -> None:
    client = make_client(rate_limit=1, rate_burst=1)
    assert take(client, 1) + take(client, 1, **{"X-Forwarded-For": "1.1.1.1"}) == [200, 429]


def test_after_too_many_wrong_tokens_a_network_gets_429_for_more(make_client: MakeClient) -> None:
    client = make_client(failed_logins=2, api_keys=digest("one"), trusted_proxies="127.0.0.1")
    here, elsewhere = {"X-Forwarded-For": "2001:db8::1"}, {"X-Forwarded-For": "2001:db8:1::1"}
    assert take(client, 3, **here) == [401, 401, 401]  # without a token, nobody logs in
    assert take(client, 3, **here, Authorization=GUESS) == [401, 401, 429]
    wrong = {"X-Forwarded-For": "2001:db8::2", "Authorization": "Bearer another"}
    answer = client.post("/predict", headers=wrong, **PREDICT)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")
    assert json_of(answer)["detail"] == (
        "More than 2 wrong tokens or keys came from here in a minute (GATEWAY_FAILED_LOGINS); wait a little, or send "
        "a valid one."
    )
    assert take(client, 1, **here) == [401]
    assert take(client, 1, **elsewhere, Authorization=GUESS) == [401]
    assert b'gateway_refused_total{reason="login"} 2.0' in client.get("/metrics").data


def test_nobody_locks_out_keys_and_tokens_of_the_same_network(make_client: MakeClient) -> None:
    client = make_client(failed_logins=1, api_keys=digest("one"))
    assert take(client, 3, Authorization=GUESS) == [401, 429, 429]
    assert take(client, 3, **KEY) == [200, 200, 200]
    assert client.post("/variants/rollback", headers=ADMIN).status_code == 409


@pytest.mark.parametrize("path", ["/", "/variants", "/healthz", "/nowhere", "/experiments"])
def test_where_anyone_may_call_a_wrong_token_does_no_harm(make_client: MakeClient, path: str) -> None:
    client = make_client(failed_logins=1)
    headers = {"Authorization": GUESS}
    statuses = [client.get(path, headers=headers).status_code for _ in range(3)]
    assert statuses == [client.get(path).status_code] * 3
    assert client.post("/variants/rollback", headers=headers).status_code == 401  # the first that counts


def test_wrong_tokens_for_labels_that_decide_count(make_client: MakeClient) -> None:
    client = make_client(failed_logins=2)
    audit, user = ({"prediction_id": "p", "label": "1", "source": source} for source in ("audit", "user"))

    def statuses(label: dict[str, str], headers: dict[str, str]) -> list[int]:
        return [client.post("/feedback", json=label, headers=headers).status_code for _ in range(3)]

    guess = {"Authorization": GUESS}
    assert statuses(user, guess) == [404] * 3
    assert statuses(audit, {}) == [401] * 3
    assert statuses(audit, guess) == [401, 401, 429]
    assert statuses(audit, ADMIN) == [404] * 3


def test_right_tokens_are_no_failed_logins(make_client: MakeClient) -> None:
    client = make_client(failed_logins=1)
    assert [client.post("/variants/rollback", headers=ADMIN).status_code for _ in range(5)] == [409] * 5
