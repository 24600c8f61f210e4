"""GET /openapi.json and /docs."""

import importlib.util
from pathlib import Path

import orjson
from flask import Blueprint, Response, current_app, render_template

SWAGGER = "flask_openapi_swagger"  # the package with Swagger UI's files
DOCUMENT = "openapi_document"  # key of an application's extensions

blueprint = Blueprint("documentation", __name__)


def swagger_files() -> Blueprint:
    """Return the blueprint that serves Swagger UI's files."""
    spec = importlib.util.find_spec(SWAGGER)
    assert spec is not None and spec.origin is not None, SWAGGER
    folder = Path(spec.origin).parent / "templates" / "swagger"
    return Blueprint("swagger", __name__, static_folder=folder, static_url_path="/docs/static")


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Return the OpenAPI document, which is made once."""
    made = current_app.extensions
    if DOCUMENT not in made:
        made[DOCUMENT] = orjson.dumps(current_app.api_doc)  # type: ignore[attr-defined]
    return Response(made[DOCUMENT], mimetype="application/json")


@blueprint.get("/docs")
def docs() -> str:
    """Return the page that shows the API and calls it."""
    return render_template("docs.html")
