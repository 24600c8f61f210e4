import pytest
from flask.testing import FlaskClient

from serving.gateway.access.cors import origins
from testing.api import json_of
from tests.gateway.conftest import MakeClient

OURS, OTHERS = "https://example.com:8443", "https://example.com"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


@pytest.fixture
def sharing(make_client: MakeClient) -> FlaskClient:
    return make_client(cors_origins=f"http://a.example,{OURS}", api_keys="0" * 64)


def test_a_page_of_an_allowed_origin_may_ask_first(sharing: FlaskClient) -> None:
    answer = sharing.options("/predict", headers={"Origin": OURS, **PREFLIGHT})
    assert answer.status_code == 200  # without a key
    headers = answer.headers
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


def test_a_text_that_is_too_long_for_an_origin_is_not_repeated(make_client: MakeClient) -> None:
    answer = make_client(cors_origins="*").get("/healthz", headers={"Origin": f"https://{'a' * 300}"})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("text", ["example.com", "https://example.com/", "ftp://a", "https://", "*,", "null"])
def test_what_is_no_origin_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        origins(text)


ELSEWHERE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}


@pytest.mark.parametrize("path", ["/metrics", "/experiments", "/experiments/x/report", "/feedback/x"])
def test_a_page_of_another_site_loads_nothing_of_a_role(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers=ELSEWHERE)
    assert answer.status_code == 403
    assert json_of(answer)["detail"].startswith("A page of another site may not load this.")
    assert client.get(path, headers={**ELSEWHERE, "Sec-Fetch-Mode": "navigate"}).status_code != 403
    assert client.get(path, headers={**ELSEWHERE, "Sec-Fetch-Site": "same-origin"}).status_code != 403


def test_a_page_of_an_allowed_origin_loads(make_client: MakeClient) -> None:
    cors = {**ELSEWHERE, "Sec-Fetch-Mode": "cors", "Origin": OURS}
    assert make_client(cors_origins=OURS).get("/metrics", headers=cors).status_code == 200
    assert make_client(cors_origins="*").get("/metrics", headers=ELSEWHERE).status_code == 200
    assert make_client(cors_origins=OTHERS).get("/metrics", headers=cors).status_code == 403


@pytest.mark.parametrize("path", ["/", "/healthz", "/variants", "/openapi.json"])
def test_what_is_anyones_is_loaded_by_all(client: FlaskClient, path: str) -> None:
    with client.get(path, headers=ELSEWHERE) as answer:
        assert answer.status_code == 200


# The ways in which a page can send a POST without asking first: a form of each type, and a Blob without one.
SENT = {
    "multipart/form-data; boundary=x": b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n--x--',
    "application/x-www-form-urlencoded": b"label=7",
    "text/plain": b'{"prediction_id": "x", "label": "7"}',
    None: b'{"prediction_id": "x", "label": "7"}',
}
PATHS = ("/predict", "/compare", "/feedback", "/experiments", "/variants/rollback", "/nowhere")


@pytest.mark.parametrize("sent", SENT)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:8081", "http://localhost.evil.example", "localhost"]
)
def test_a_page_of_another_origin_may_send_nothing(
    client: FlaskClient, path: str, sent: str | None, origin: str
) -> None:
    answer = client.post(path, data=SENT[sent], headers={"Origin": origin}, content_type=sent)
    assert answer.status_code == 403
    assert json_of(answer)["detail"].startswith(
        f"A page of the origin {origin!r} may not call this. Name it in GATEWAY_"
    )


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("localhost:8080", "https://localhost:8080"),
        ("LOCALHOST", "https://localhost"),
        ("localhost:443", "https://localhost"),
        ("localhost:80", "http://localhost"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_our_own_page_may(client: FlaskClient, host: str, origin: str) -> None:
    assert client.post("/feedback", json={}, headers={"Host": host, "Origin": origin}).status_code == 422


@pytest.mark.parametrize(
    ("allowed", "origin", "status"), [(OURS, OURS, 422), ("*", "null", 422), ("*", OTHERS, 422), (OURS, OTHERS, 403)]
)
def test_and_pages_of_allowed_origins(make_client: MakeClient, allowed: str, origin: str, status: int) -> None:
    client = make_client(cors_origins=allowed)
    assert client.post("/feedback", json={}, headers={"Origin": origin}).status_code == status


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_changes_nothing_and_passes(client: FlaskClient, method: str) -> None:
    assert client.open("/variants", method=method, headers={"Origin": OTHERS}).status_code == 200


def test_foreign_posts_are_counted_and_their_text_is_cut(client: FlaskClient) -> None:
    answer = client.post("/feedback", headers={"Origin": "https://" + "x" * 5000})
    assert (answer.status_code, len(json_of(answer)["detail"]) < 400) == (403, True)
    assert b'gateway_refused_total{reason="origin"} 1.0' in client.get("/metrics").data
