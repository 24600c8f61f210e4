"""GET /: the page for people, a list of paths for programs."""

from flask import Blueprint, Response, make_response, render_template, request, url_for

from serving.gateway.web.answers import send

LANGUAGES = ("en", "zh")
THEMES = ("light", "dark")

blueprint = Blueprint("page", __name__)


@blueprint.get("/")
def index() -> Response:
    """Return the page, or the list of paths to clients that prefer JSON."""
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
        answer = _paths()
    else:
        answer = make_response(render_template("page.html", language=_language(), theme=_theme()))
        answer.cache_control.no_cache = True
    answer.vary.update(("Accept", "Accept-Language", "Cookie"))
    return answer


def _language() -> str:
    """Return the language of the cookie, else the browser's preferred one."""
    chosen = request.cookies.get("language")
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(LANGUAGES, LANGUAGES[0])


def _theme() -> str | None:
    """Return the theme of the cookie, for the first paint."""
    chosen = request.cookies.get("theme")
    return chosen if chosen in THEMES else None


def _paths() -> Response:
    pages = (
        "documentation.docs", "documentation.openapi", "variants.variants", "experiments.every", "health.readyz",
        "health.metrics",
    )  # fmt: skip
    calls = ("predict.predict", "compare.compare", "feedback.feedback")
    return send({"GET": [url_for(page) for page in pages], "POST": [url_for(call) for call in calls]})
