import pytest
from flask.testing import FlaskClient

from serving.gateway.access.cors import origins
from tests.gateway.conftest import MakeClient

OURS, OTHERS = "https://example.com:8443", "https://example.com"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


@pytest.fixture
def sharing(make_client: MakeClient) -> FlaskClient:
    return make_client(cors_origins=f"http://a.example,{OURS}", api_keys="0" * 64)


def test_a_page_of_an_allowed_origin_may_ask_first(sharing: FlaskClient) -> None:
    headers = sharing.options("/predict", headers={"Origin": OURS, **PREFLIGHT}).headers
    assert headers["Access-Control-Allow-Origin"] == OURS
    assert headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert headers["Access-Control-Allow-Headers"].startswith("Authorization, Content-Type,")
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/nowhere", 404), ("/predict", 405)])
def test_and_read_answers_and_refusals(sharing: FlaskClient, path: str, status: int) -> None:
    answer = sharing.get(path, headers={"Origin": OURS})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, OURS)
    assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", [OTHERS, "null", OURS + "0", "http://a.example.evil"])
def test_any_other_may_not(sharing: FlaskClient, origin: str) -> None:
    for answer in (
        sharing.get("/healthz", headers={"Origin": origin}),
        sharing.options("/predict", headers={"Origin": origin, **PREFLIGHT}),
    ):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert answer.headers["Vary"] == "Origin"


def test_by_default_nobody_may(client: FlaskClient) -> None:
    assert "Access-Control-Allow-Origin" not in client.get("/healthz", headers={"Origin": OURS}).headers


def test_everybody_may_where_that_is_set(make_client: MakeClient) -> None:
    answer = make_client(cors_origins="*").get("/healthz", headers={"Origin": OTHERS})
    assert answer.headers["Access-Control-Allow-Origin"] == OTHERS


@pytest.mark.parametrize("text", ["example.com", "https://example.com/", "ftp://a", "https://", "*,", "null"])
def test_what_is_no_origin_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        origins(text)
