"""GET /: the page for people, and for programs a list of what there is."""

from flask import Blueprint, Response, make_response, render_template, request, url_for

from serving.gateway.web.answers import send

LANGUAGES = ("en", "zh")
THEMES = ("light", "dark")

blueprint = Blueprint("page", __name__)


@blueprint.get("/")
def index() -> Response:
    """Return the page, or to who asks for JSON where what is."""
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
        answer = _what_there_is()
    else:
        answer = make_response(render_template("page.html", language=_language(), theme=_theme()))
        answer.cache_control.no_cache = True
    answer.vary.update(("Accept", "Accept-Language", "Cookie"))
    return answer


def _language() -> str:
    """Return the language that was chosen by hand, else the one that the browser likes best."""
    chosen = request.cookies.get("language")
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(LANGUAGES, LANGUAGES[0])


def _theme() -> str | None:
    """Return the theme that was chosen by hand, so that the first paint has it."""
    chosen = request.cookies.get("theme")
    return chosen if chosen in THEMES else None


def _what_there_is() -> Response:
    pages = (
        "documentation.docs", "documentation.openapi", "variants.variants", "experiments.every", "health.readyz",
        "health.metrics",
    )  # fmt: skip
    calls = ("predict.predict", "compare.compare", "feedback.feedback")
    return send({"GET": [url_for(page) for page in pages], "POST": [url_for(call) for call in calls]})
