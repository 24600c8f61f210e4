"""GET /study: what the study of regularisation found."""

from pathlib import Path

from flask import Blueprint, Response, send_file

from serving.gateway.errors import NotFound
from serving.gateway.web.context import gateway

blueprint = Blueprint("study", __name__)


def report_file() -> Path:
    """Return where the study's report is, if there is one."""
    return gateway().settings.study_report.absolute()


@blueprint.get("/study")
def report() -> Response:
    """Give the study's report as a file to keep: its styles are its own, which the page's security policy forbids."""
    if not report_file().is_file():
        raise NotFound(
            "There is no report of the study here; `make study` makes one, and GATEWAY_STUDY_REPORT says where it is."
        )
    return send_file(report_file(), as_attachment=True, download_name="study.html")
