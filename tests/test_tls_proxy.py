"""The proxy of `deploy/tls/` before a running gateway: TLS, the client's address, and paths that are closed."""

import http.client
import json
import os
import shutil
import ssl
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from testing import tls_proxy
from testing.attack.gateways import folder_of, log_of, running
from testing.running_gateway import Gateway
from testing.waiting import PATIENCE, eventually

pytestmark = pytest.mark.slow

PROGRAMS = ("haproxy", "openssl", "curl")
HOST, CLIENT = "digits.example.org", "127.0.0.3"
TRUSTED = "127.0.0.0/8"  # the client, too: an entry that the proxy left before its address would count
RAW = {"Content-Type": "application/octet-stream"}
IMAGE = bytes(784)


class Proxy(NamedTuple):
    """A running HAProxy before a gateway."""

    gateway: Gateway
    http_port: int
    https_port: int
    certificate: Path

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send a request over TLS, from CLIENT; return status, header fields and body."""
        context = ssl.create_default_context(cafile=self.certificate)
        connection = http.client.HTTPSConnection(
            "localhost", self.https_port, timeout=PATIENCE, source_address=(CLIENT, 0), context=context
        )
        with closing(connection):
            connection.request(method, path, body, {"Host": HOST, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def logged(self, request_id: str) -> dict[str, str]:
        """Return the gateway's log line of a request."""
        log = log_of(folder_of(self.gateway))

        def look() -> dict[str, str] | None:
            lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
            return next((line for line in lines if line.get("request_id") == request_id), None)

        line = eventually(look, f"the log of {request_id}")
        assert line is not None
        return line


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    """Skip the tests where a program is missing; fail there in CI."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        reason = f"not installed: apt-get install {' '.join(missing)}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file of a certificate for HOST and localhost, and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, pem = folder / "key.pem", folder / "certificate.pem"
    names = f"subjectAltName=DNS:{HOST},DNS:localhost"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={HOST}", "-addext", names, "-keyout", key, "-out", pem],
        check=True, capture_output=True,
    )  # fmt: skip
    pem.write_text(pem.read_text() + key.read_text())
    return pem


@pytest.fixture(scope="module")
def proxy(certificate: Path) -> Iterator[Proxy]:
    with (
        running(hosts=HOST, trusted_proxies=TRUSTED) as gateway,
        tls_proxy.started(gateway.port, TLS_CERTIFICATE=str(certificate)) as (process, http_port, https_port),
    ):
        made = Proxy(gateway, http_port, https_port, certificate)
        eventually(lambda: _answers(made, process), "the proxy to answer")
        yield made


def test_predictions_pass_over_tls(proxy: Proxy) -> None:
    status, headers, body = proxy.ask("POST", "/predict", IMAGE, RAW)
    assert status == 200 and json.loads(body)["predictions"][0]["label"] == "0"
    assert headers["strict-transport-security"] == "max-age=31536000"


def test_a_body_in_chunks_passes(proxy: Proxy) -> None:
    context = ssl.create_default_context(cafile=proxy.certificate)
    connection = http.client.HTTPSConnection("localhost", proxy.https_port, timeout=PATIENCE, context=context)
    with closing(connection):
        pieces = iter([IMAGE[:500], IMAGE[500:]])
        connection.request("POST", "/predict", pieces, {"Host": HOST, **RAW}, encode_chunked=True)
        assert connection.getresponse().status == 200


@pytest.mark.parametrize("forged", [{}, {"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}])
def test_the_gateway_logs_the_clients_address(forged: dict[str, str], proxy: Proxy) -> None:
    _, headers, _ = proxy.ask("POST", "/predict", IMAGE, {**RAW, **forged})
    assert proxy.logged(headers["x-request-id"])["client"] == CLIENT


def test_the_host_passes_unchanged_and_a_foreign_one_is_refused(proxy: Proxy) -> None:
    assert proxy.ask("GET", "/variants")[0] == 200
    assert proxy.ask("GET", "/variants", headers={"Host": "evil.example"})[0] == 421


@pytest.mark.parametrize("path", ["/metrics", "/metrics?name=x", "//metrics", "/%6detrics", "/metrics/"])
def test_metrics_are_closed_to_the_outside(path: str, proxy: Proxy) -> None:
    status, _, body = proxy.ask("GET", path)
    assert status == 404 and b"gateway_requests" not in body


@pytest.mark.parametrize(
    ("version", "fields"), [("--http1.1", []), ("--http1.1", ["Transfer-Encoding: chunked"]), ("--http2", [])]
)
def test_a_body_that_is_too_large_gets_the_gateways_answer(
    version: str, fields: list[str], proxy: Proxy, tmp_path: Path
) -> None:
    file = tmp_path / "body"
    file.write_bytes(bytes(2**24))
    names = ["Content-Type: application/octet-stream", f"Host: {HOST}", "Expect:", *fields]  # it does not wait for 100
    command = [
        "curl", "--silent", "--show-error", version, "--cacert", str(proxy.certificate), "--data-binary", f"@{file}",
        *(word for name in names for word in ("--header", name)),
        f"https://localhost:{proxy.https_port}/predict",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, b"")
    problem = json.loads(done.stdout)
    assert problem["status"] == 413 and "GATEWAY_MAX_BODY_BYTES" in problem["detail"]


def test_plain_http_is_sent_on_to_tls(proxy: Proxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.http_port, timeout=PATIENCE)
    with closing(connection):
        connection.request("GET", "/variants", headers={"Host": HOST})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("location")) == (308, f"https://{HOST}/variants")


def test_http_2_is_offered(proxy: Proxy) -> None:
    assert _handshake(proxy, ssl.create_default_context(cafile=proxy.certificate)) == "h2"


def test_old_versions_of_tls_are_refused(proxy: Proxy) -> None:
    context = ssl.create_default_context(cafile=proxy.certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")  # so that it is the proxy that refuses
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        _handshake(proxy, context)


def _handshake(proxy: Proxy, context: ssl.SSLContext) -> str | None:
    """Return the protocol that the proxy chooses of HTTP/2 and HTTP/1.1."""
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = http.client.HTTPConnection("127.0.0.1", proxy.https_port, timeout=PATIENCE)
    plain.connect()
    with context.wrap_socket(plain.sock, server_hostname=HOST) as connection:
        return connection.selected_alpn_protocol()


def _answers(proxy: Proxy, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, f"haproxy ended with exit code {process.returncode}"
    try:
        return proxy.ask("GET", "/healthz")[0] == 200
    except OSError:
        return False
