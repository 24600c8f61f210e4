import pytest
from flask.testing import FlaskClient

from serving.gateway.web.request import LONGEST
from testing.api import json_of

JSON = {"Accept": "application/json"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("headers", [BROWSER, {"Accept": "*/*"}, {}])
def test_people_get_the_page(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.get("/", headers=headers)
    assert answer.content_type == "text/html; charset=utf-8"
    assert 'type="module" src="/static/page/main.js"' in answer.text
    assert answer.cache_control.no_cache
    assert set(answer.vary) == {"Accept", "Accept-Language", "Cookie"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_asks_for_json_is_told_what_there_is(client: FlaskClient, method: str) -> None:
    for path in json_of(client.get("/", headers=JSON))[method]:
        assert client.open(path, method=method).status_code != 404


@pytest.mark.parametrize(
    ("wanted", "chosen", "language"),
    [("zh-CN,zh;q=0.9,en;q=0.8", None, "zh"), ("de,en;q=0.5", None, "en"), ("fr", None, "en"), ("", None, "en"),
     ("zh-CN", "en", "en"), ("en", "zh", "zh"), ("en", '"><script>', "en")],
)  # fmt: skip
def test_the_language_is_the_one_chosen_or_the_browsers(
    client: FlaskClient, wanted: str, chosen: str | None, language: str
) -> None:
    if chosen is not None:
        client.set_cookie("language", chosen)
    page = client.get("/", headers={**BROWSER, "Accept-Language": wanted}).text
    assert f'<html lang="{language}">' in page
    assert f"/static/page/i18n/{language}.js" in page


@pytest.mark.parametrize(
    ("field", "item"),
    [
        ("Accept", "application/json,"),
        ("Accept-Language", "zh,"),
        ("Cookie", "language=zh;"),
        ("Cookie", "theme=dark;"),
    ],
)
def test_fields_that_would_take_long_to_parse_are_as_if_absent(client: FlaskClient, field: str, item: str) -> None:
    client = client.application.test_client(use_cookies=False)  # which would remove the field
    plain = client.get("/").text
    assert client.get("/", headers={field: item}).text != plain
    assert client.get("/", headers={field: item * (LONGEST // len(item) + 1)}).text == plain


@pytest.mark.parametrize(
    ("chosen", "start"), [("dark", '<html lang="en" data-theme="dark">'), ("auto", '<html lang="en">')]
)
def test_the_first_paint_has_the_theme_that_was_chosen(client: FlaskClient, chosen: str, start: str) -> None:
    client.set_cookie("theme", chosen)
    assert start in client.get("/", headers=BROWSER).text


@pytest.mark.parametrize(
    ("path", "kind"),
    [("page/main.js", "javascript"), ("page/css/shell.css", "text/css"), ("page/examples.png", "image/png")],
)
def test_static_files_are_typed_and_revalidated(client: FlaskClient, path: str, kind: str) -> None:
    with client.get(f"/static/{path}") as answer:
        assert answer.status_code == 200
        assert kind in answer.content_type
        assert answer.cache_control.no_cache
        tag = answer.headers["ETag"]
    with client.get(f"/static/{path}", headers={"If-None-Match": tag}) as again:
        assert again.status_code == 304
    with client.get(f"/static/{path}", headers={"If-None-Match": f"{tag}," * LONGEST}) as unread:
        assert unread.status_code == 200
    for blanks, status in ((0, 206), (LONGEST, 200)):
        with client.get(f"/static/{path}", headers={"Range": f"bytes=0-{' ' * blanks}1"}) as part:
            assert part.status_code == status
