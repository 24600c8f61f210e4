"""Check `make load`: whom it refuses, what it counts, and its figures."""

import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks import load
from testing.http_load import post
from testing.open_loop import BROKEN, Load, TimedAnswers

REQUIRED = ["--rate", "50"]


class Answers(BaseHTTPRequestHandler):
    """Answers each POST, and keeps what it was sent in the server."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "40000")  # more than one record of TLS
        self.end_headers()
        self.wfile.write(bytes(40_000))

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as made:
        made.seen = []  # type: ignore[attr-defined]
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield made
        made.shutdown()


@pytest.mark.parametrize("named", [[], ["--confirm", "127.0.0.1"], ["--confirm", "digits.example.org:8080"]])
def test_a_target_that_is_not_named_twice_is_refused(named: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        load.parse(["--target", "http://127.0.0.1:8080", *REQUIRED, *named])
    assert ended.value.code == 2
    assert "name it twice: --confirm 127.0.0.1:8080" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080, False),
        ("https://digits.example.org/", "digits.example.org", 443, True),
        ("http://[::1]:8080", "::1", 8080, False),
    ],
)
def test_a_target_is_read(url: str, host: str, port: int, tls: bool) -> None:
    name = url.partition("//")[2].rstrip("/")
    arguments = load.parse(["--target", url, "--confirm", name, *REQUIRED])
    assert arguments.target == load.Target(host, port, tls, name)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--target", "127.0.0.1:8080"], ["--target", "http://a:b@c"], ["--target", "http://c/predict"],
        ["--target", "http://c:99999"], ["--rate", "0"], ["--rate", "99999"], ["--seconds", "x"],
    ],
)  # fmt: skip
def test_unusable_arguments_are_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        load.parse(["--target", "http://c", "--confirm", "c", *REQUIRED, *wrong])


@pytest.mark.slow
def test_a_load_is_sent_and_told(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, output = f"127.0.0.1:{server.server_port}", tmp_path / "new" / "load.hgrm"
    monkeypatch.setenv("LOAD_KEY", "secret")
    arguments = [f"--target=http://{name}", f"--confirm={name}", "--rate=60", "--seconds=1", "--connections=4"]
    monkeypatch.setattr("sys.argv", ["load", *arguments, f"--output={output}"])
    code, told = load.main(), capsys.readouterr().out
    (sent,) = re.findall(r"^(\d+) requests in 1 s, \1 a second$", told, re.M)
    assert code == int("more were due and not sent" in told) == int(int(sent) < 60)  # as on a busy machine
    assert re.search(rf"^ +200 +{sent}$", told, re.M)
    assert [line.split()[0] for line in told.splitlines() if line.endswith(" ms")] == [
        "p50", "p90", "p99", "p99.9", "p99.99", "longest",
    ]  # fmt: skip
    assert f"TotalCount     =       {sent}.000" in output.read_text()
    path, headers = server.seen[0]  # type: ignore[attr-defined]
    assert (path, headers["Host"], headers["Authorization"]) == ("/predict", name, "Bearer secret")
    server.shutdown()
    server.server_close()
    assert load.main() == 1
    assert f"{name} cannot be reached" in capsys.readouterr().err


def test_figures_are_the_histogram_s_and_failures_are_told() -> None:
    seen = TimedAnswers(times=[number / 1000 for number in range(1, 1001)])
    seen.statuses.update({200: 990, 503: 8, BROKEN: 2})
    lines = [" ".join(line.split()) for line in load.report(seen, 1200, 10)]
    assert lines[0] == "1,000 requests in 10 s, 100 a second"
    assert lines[1].startswith("200 more were due and not sent: ")
    assert lines[2:5] == ["no answer 2", "200 990", "503 8"]
    figures = {line.split()[0]: float(line.split()[1].replace(",", "")) for line in lines[5:]}
    assert figures["p50"] == pytest.approx(500, rel=0.002)
    assert figures["p99.9"] == pytest.approx(999, rel=0.002)
    assert figures["longest"] == pytest.approx(1000, rel=0.002)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.slow
def test_a_connection_in_tls_is_kept(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days=1",
         "-subj=/CN=127.0.0.1", "-addext=subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate, key)
    server.socket = ours.wrap_socket(server.socket, server_side=True)
    connections: list[object] = []
    finish = server.finish_request

    def counted(request: Any, client: Any) -> None:
        connections.append(client)
        finish(request, client)

    server.finish_request = counted  # type: ignore[method-assign, assignment]
    trusted = ssl.create_default_context(cafile=certificate)
    request = post("/predict", bytes(10), "application/octet-stream")
    sent = Load(server.server_port, [request], 2, 100, tls=trusted)
    seen = sent.run(0.5)
    last = sent.finish(10)
    assert seen.errors + last.errors == 0 and seen.statuses[200] + last.statuses[200] > 2
    assert len(connections) == 2
    with pytest.raises(ssl.SSLCertVerificationError):
        Load(server.server_port, [request], 1, 100, tls=ssl.create_default_context())
