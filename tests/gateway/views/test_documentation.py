import re
from pathlib import Path

from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from serving.gateway.commands.openapi import document
from testing.api import json_of

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"


def test_the_committed_description_is_that_of_the_code() -> None:
    assert COMMITTED.read_text() == document(), "python -m serving.gateway.commands.openapi > docs/openapi.json"


def test_the_description_is_valid_openapi(client: FlaskClient) -> None:
    description = json_of(client.get("/openapi.json"))
    assert description["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(description).validate()


def test_every_error_is_described_as_a_problem(client: FlaskClient) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    description = json_of(client.get("/openapi.json"))
    for operations in description["paths"].values():
        for operation in operations.values():
            assert "default" in operation["responses"]
            errors = {
                code: answer for code, answer in operation["responses"].items() if code not in ("200", "201", "304")
            }
            assert all(answer["content"] == problem for answer in errors.values())
    assert set(description["paths"]["/predict"]["post"]["responses"]) == {
        "200", "400", "401", "403", "404", "413", "415", "422", "429", "502", "503", "504", "default",
    }  # fmt: skip


def test_every_form_of_body_is_described(client: FlaskClient) -> None:
    content = json_of(client.get("/openapi.json"))["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Instances"}
    assert {"image/png", "image/gif", "multipart/form-data", "application/octet-stream"} < set(content)


def test_the_page_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs").text
    links = re.findall(r'(?:src|href|data-openapi)="([^"]*)"', page)
    assert len(links) == 4
    for link in links:
        with client.get(link) as answer:
            assert answer.status_code == 200
    assert not re.search(r"<script>|<style>|style=|//", page)
