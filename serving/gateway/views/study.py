"""GET /study: the report of the study of regularisation."""

from pathlib import Path

from flask import Blueprint, Response, send_file

from serving.gateway.errors import NotFound
from serving.gateway.web.context import gateway

blueprint = Blueprint("study", __name__)


def report_file() -> Path:
    """Return the path of the report, which may not exist."""
    return gateway().settings.study_report.absolute()


@blueprint.get("/study")
def report() -> Response:
    """Return the report as a download: the page's security policy forbids its own styles."""
    if not report_file().is_file():
        raise NotFound(
            "There is no report of the study here. Run `make study`, or set GATEWAY_STUDY_REPORT to its path."
        )
    return send_file(report_file(), as_attachment=True, download_name="study.html")
