from pathlib import Path

from testing.api import json_of
from tests.gateway.conftest import MakeClient

REPORT = "<!doctype html><style>p { color: red }</style><p>Dropout"


def test_the_report_is_given_where_there_is_one(make_client: MakeClient, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    client = make_client(study_report=file)
    assert json_of(client.get("/variants"))["study"] is None
    missing = client.get("/study")
    assert (missing.status_code, "make study" in json_of(missing)["detail"]) == (404, True)
    file.write_text(REPORT)
    with client.get(json_of(client.get("/variants"))["study"]) as given:
        assert given.data.decode() == REPORT
        assert given.headers["Content-Disposition"] == "attachment; filename=study.html"
