import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import SecretStr

from serving.gateway.store import lease
from serving.gateway.webhooks import receiver as receiver_module
from serving.gateway.webhooks.notifier import NotDelivered
from serving.gateway.webhooks.receiver import Receiver
from serving.gateway.webhooks.signature import secrets_of
from testing.machine import free_port
from testing.webhook_receiver import SECRET, TRICKLED, WebhookReceiver

LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRETS = secrets_of(SecretStr(SECRET))
NAME = "hooks.example.com"


@pytest.fixture
def server() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as made:
        yield made


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The addresses that NAME has each time somebody asks, the last ones from then on."""
    answers: list[list[str]] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: object, *given: int, **named: int) -> list[tuple[object, ...]]:
        if host != NAME:
            return list(real(host, port, *given, **named))  # type: ignore[arg-type]
        now = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in now]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return answers


def test_a_message_arrives_signed(server: WebhookReceiver) -> None:
    Receiver(server.url, SECRETS, LOOPBACK).deliver("evt_1", b'{"type":"x"}')
    (message,) = server.messages
    assert (message.id, message.verified()) == ("evt_1", {"type": "x"})
    assert message.headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [300, 400, 410, 500, 503])
def test_only_2xx_is_a_delivery(server: WebhookReceiver, status: int) -> None:
    server.status = status
    with pytest.raises(NotDelivered, match=f"^answered {status}$"):
        Receiver(server.url, SECRETS, LOOPBACK).deliver("evt_1", b"{}")


def test_a_redirect_is_not_followed(server: WebhookReceiver) -> None:
    with WebhookReceiver(location=server.url) as redirecting:
        redirecting.status = 307
        with pytest.raises(NotDelivered, match="answered 307"):
            Receiver(redirecting.url, SECRETS, LOOPBACK).deliver("evt_1", b"{}")
    assert server.messages == []


def test_a_proxy_of_the_environment_is_not_asked(server: WebhookReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    Receiver(server.url, SECRETS, LOOPBACK).deliver("evt_1", b"{}")
    assert len(server.messages) == 1


@pytest.mark.slow
def test_nobody_listens_and_nobody_answers(server: WebhookReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Receiver(f"http://127.0.0.1:{free_port()}/secret-path", SECRETS, LOOPBACK)
    with pytest.raises(NotDelivered, match="^NewConnectionError$"):
        nobody.deliver("evt_1", b"{}")
    monkeypatch.setattr(receiver_module, "ATTEMPT_SECONDS", 0.2)
    server.may_answer.clear()
    with pytest.raises(NotDelivered, match="^not answered within 0.2 s$"):
        Receiver(server.url, SECRETS, LOOPBACK).deliver("evt_1", b"{}")


@pytest.mark.slow
def test_an_answer_that_trickles_has_no_more_time(server: WebhookReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "ATTEMPT_SECONDS", 0.3)
    server.trickles = True
    with pytest.raises(NotDelivered, match="^not answered within 0.3 s$"):
        Receiver(server.url, SECRETS, LOOPBACK).deliver("evt_1", b"{}")
    assert 0 < server.trickled < TRICKLED


@pytest.mark.slow
def test_a_name_that_is_never_resolved_has_no_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "ATTEMPT_SECONDS", 0.2)
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait() and [])
    with pytest.raises(NotDelivered, match="^not answered within 0.2 s$"):
        Receiver(f"http://{NAME}/", SECRETS, LOOPBACK).deliver("evt_1", b"{}")
    answered.set()


def test_no_attempt_outlasts_the_lease_of_its_worker() -> None:
    assert receiver_module.ATTEMPT_SECONDS < lease.LEASE_SECONDS / 2


def test_what_was_allowed_when_set_is_checked_again(server: WebhookReceiver) -> None:
    with pytest.raises(NotDelivered, match="^its host has no address that may be called; the log says why$"):
        Receiver(server.url, SECRETS).deliver("evt_1", b"{}")
    assert server.messages == []


def test_the_checked_address_is_the_one_that_is_called(server: WebhookReceiver, names: list[list[str]]) -> None:
    """Names that lead to another address a moment later, once they were checked, gain nothing by it."""
    names[:] = [["127.0.0.1"], ["127.0.0.2"]]
    url = f"http://{NAME}:{server.port}/"
    Receiver(url, SECRETS, LOOPBACK).deliver("evt_1", b"{}")
    (message,) = server.messages
    assert message.headers["host"] == f"{NAME}:{server.port}"
    assert names == [["127.0.0.2"]]  # it was resolved once


def test_the_next_address_is_tried(server: WebhookReceiver, names: list[list[str]]) -> None:
    names[:] = [["127.0.0.9", "127.0.0.1"]]
    Receiver(f"http://{NAME}:{server.port}/", SECRETS, LOOPBACK).deliver("evt_1", b"{}")
    assert len(server.messages) == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="not installed: openssl")
def test_tls_asks_for_the_name_at_the_pinned_address(tmp_path: Path, names: list[list[str]]) -> None:
    def certificate(name: str) -> Path:
        key, pem = tmp_path / "key.pem", tmp_path / f"{name}.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", pem],
            check=True, capture_output=True,
        )  # fmt: skip
        pem.write_text(pem.read_text() + key.read_text())
        return pem

    names[:] = [["127.0.0.1"]]
    for name, fits in ((NAME, True), ("other.example.com", False)):
        pem = certificate(name)
        with WebhookReceiver(certificate=pem) as server:
            under_test = Receiver(f"https://{NAME}:{server.port}/", SECRETS, LOOPBACK, trust=str(pem))
            if fits:
                under_test.deliver("evt_1", b"{}")
            else:
                with pytest.raises(NotDelivered, match="^SSLError$|^SSLCertVerificationError$"):
                    under_test.deliver("evt_1", b"{}")
            assert len(server.messages) == fits
