import socket
from ipaddress import ip_network
from urllib.parse import urlsplit

import pytest

from serving.gateway.settings import Settings, SettingsError
from serving.gateway.webhooks.addresses import RefusedAddress, check_url, resolve
from testing.webhook_receiver import SECRET

LOOPBACK = (ip_network("127.0.0.0/8"),)
REFUSED = {
    "127.0.0.1": "a loopback address",
    "127.1": "a loopback address",
    "2130706433": "a loopback address",
    "0x7f.1": "a loopback address",
    "localhost": "a loopback address",
    "api.localhost": "a loopback address",
    "[::1]": "a loopback address",
    "[::ffff:127.0.0.1]": "a loopback address",
    "[64:ff9b::127.0.0.1]": "a loopback address",
    "[2002:7f00:1::]": "a loopback address",
    "169.254.169.254": "link-local",
    "[::ffff:169.254.169.254]": "link-local",
    "[fe80::1]": "link-local",
    "[fd00:ec2::254]": "a metadata service",
    "100.100.100.200": "a metadata service",
    "168.63.129.16": "a metadata service",
    "224.0.0.1": "a multicast address",
    "[ff02::1]": "a multicast address",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "[::]": "unspecified",
    "255.255.255.255": "reserved",
}


@pytest.mark.parametrize("host", REFUSED)
def test_an_address_that_must_not_be_called_is_refused_when_it_is_set(host: str) -> None:
    url = f"http://{host}:80/hook"
    with pytest.raises(RefusedAddress, match=f"which is {REFUSED[host]}: name its network in GATEWAY_WEBHOOK_ALLOW"):
        check_url(url, ())
    with pytest.raises(SettingsError, match="^GATEWAY_WEBHOOK_URL cannot"):
        Settings.from_environ({"GATEWAY_WEBHOOK_URL": url, "GATEWAY_WEBHOOK_SECRET": SECRET})


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/x", "http://10.0.0.7:8000", "http://[fd12::1]/", "https://8.8.8.8"]
)
def test_others_are_not(url: str) -> None:
    assert check_url(url, ()) == url


def test_an_allowed_network_is_not() -> None:
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        check_url(f"http://{host}/", LOOPBACK)
    with pytest.raises(RefusedAddress):
        check_url("http://169.254.169.254/", LOOPBACK)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", "it needs http:// or https://"),
        ("file:///etc/passwd", "it needs http:// or https://"),
        ("http://:80/", "a host"),
        ("http://example.com:0/", "a port from 1 to 65535"),
        ("http://example.com:99999/", "its address cannot be read"),
        ("https://bücher.example/", "write its host in ASCII, as DNS has it: xn--…"),
        ("http://me@example.com/", "it holds a user or password"),
        ("http://me:secret@example.com/", "it holds a user or password"),
    ],
)
def test_what_is_no_usable_url_is_refused(url: str, why: str) -> None:
    with pytest.raises(RefusedAddress, match=why):
        check_url(url, ())


def test_a_name_is_checked_each_time_it_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may lead elsewhere by then, and must not with any of its addresses."""
    found: list[str] = []

    def getaddrinfo(*given: object, **named: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in found]

    parts = urlsplit("https://hooks.example.com/")
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    found[:] = ["93.184.216.34", "93.184.216.34"]
    assert resolve(parts, ()) == ["93.184.216.34"]
    for address in ("169.254.169.254", "127.0.0.1", "fe80::1%eth0"):
        found[:] = ["93.184.216.34", address]
        with pytest.raises(RefusedAddress, match=f"host 'hooks.example.com' has the address {address}, which is"):
            resolve(parts, ())


def test_an_unknown_name_says_so() -> None:
    with pytest.raises(RefusedAddress, match="host 'nowhere.invalid' is unknown"):
        resolve(urlsplit("http://nowhere.invalid/"), ())


def test_a_url_needs_a_secret() -> None:
    with pytest.raises(SettingsError, match="it needs a secret in GATEWAY_WEBHOOK_SECRET"):
        Settings.from_environ({"GATEWAY_WEBHOOK_URL": "https://hooks.example.com"})


@pytest.mark.parametrize("url", ["https://me:hunter2@hooks.example.com/T0KEN", "https://hooks.example.com/T0KEN"])
def test_a_start_that_fails_shows_no_address_of_a_webhook(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"GATEWAY_WEBHOOK_URL": url})
    assert str(caught.value).startswith("GATEWAY_WEBHOOK_URL cannot be used: it must be an http or https URL")
    assert "T0KEN" not in str(caught.value)
