import pytest
from flask.testing import FlaskClient

PAGES = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "


@pytest.mark.parametrize("path", ["/docs", "/metrics", "/docs/static/images/swagger.svg"])
def test_a_page_may_load_and_send_only_what_is_its_own(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        headers = answer.headers
        assert answer.status_code == 200
        assert headers["Content-Security-Policy"] == PAGES + "frame-ancestors 'none'"
        assert "unsafe" not in str(headers)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/nowhere", 404)])
def test_data_shows_and_runs_nothing(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
