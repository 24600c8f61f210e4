import pytest
from flask.testing import FlaskClient

from serving.gateway.access.hosts import Hosts, bracketed, host_of, read_hosts
from serving.gateway.errors import BadRequest, Misdirected
from serving.gateway.web.request import Request
from testing.api import ADMIN, json_of
from tests.gateway.conftest import MakeClient

OURS = ["localhost", "localhost:8080", "LOCALHOST", "a.localhost:1", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080",
        "[::ffff:127.0.0.1]:80", "localhost."]  # fmt: skip
NO_HOSTS = ["evil@localhost", "127.0.0.1:evil", "127.0.0.1:", "localhost:123456", "127.0.0.1:80:80",
            "localhost:8\u0660", "[::1%25x]", "[::1%x]", "[::1", "::1", "[localhost]", "[127.0.0.1]",
            "[::ffff:127.0.0.1.1]", "localhost/a", "localhost?a", "localhost#a", "localhost\\a", "localhost..",
            ".localhost", "\u017f.localhost", " localhost", "[", "a b", "x" * 5000]  # fmt: skip
OTHERS = ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "notlocalhost",
          "localhost@evil.example", "192.0.2.1", "[2001:db8::1]:8080", "0.0.0.0", *NO_HOSTS]  # fmt: skip


def to(host: str | None, server: str = "", version: str = "1.1") -> Request:
    return Request("GET", "/", "", {} if host is None else {"host": host}, "", server=server, version=version)


@pytest.mark.parametrize("host", OURS)
def test_this_machine_is_always_answered_for(host: str) -> None:
    Hosts(frozenset()).check(to(host))


@pytest.mark.parametrize("host", OTHERS)
def test_no_other_host_is(host: str) -> None:
    hosts = Hosts(read_hosts("digits.example.org"))
    for _ in range(2):  # the second time from memory
        with pytest.raises(Misdirected) as caught:
            hosts.check(to(host))
    assert caught.value.detail.startswith(
        f"The gateway does not answer at the host {host[:100]!r}. Name it in GATEWAY_H"
    )
    assert len(caught.value.detail) < 250


@pytest.mark.parametrize(
    ("configured", "host"),
    [
        ("digits.example.org", "Digits.Example.org:8443"),
        ("digits.example.org", "digits.example.org."),
        ("a, 192.0.2.1", "192.0.2.1:8080"),
        ("2001:DB8:0::1", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8:0:0::1]:8080"),
        ("*", "evil.example"),
        ("*", "[2001:db8::1]"),
    ],
)
def test_configured_hosts_are_answered_for(configured: str, host: str) -> None:
    Hosts(read_hosts(configured)).check(to(host))


def test_the_host_to_listen_on_is_ours_unless_it_stands_for_all() -> None:
    Hosts(frozenset(), "192.0.2.1").check(to("192.0.2.1:8080"))
    Hosts(frozenset(), "2001:db8::1").check(to("[2001:db8::1]:8080"))
    Hosts(frozenset(), "digits.example.org").check(to("digits.example.org:8080"))
    for every in ("0.0.0.0", "[::]", "::"):
        for host in ("0.0.0.0:8080", "[::]:8080"):
            with pytest.raises(Misdirected):
                Hosts(frozenset(), every).check(to(host))


def test_the_address_that_a_connection_came_in_at_is_ours() -> None:
    hosts = Hosts(frozenset())
    hosts.check(to("192.0.2.1:8080", server="::ffff:192.0.2.1"))
    hosts.check(to("[2001:db8::1]", server="2001:db8::1"))
    with pytest.raises(Misdirected):
        hosts.check(to("192.0.2.2:8080", server="192.0.2.1"))


@pytest.mark.parametrize("host", [None, ""])
@pytest.mark.parametrize("configured", ["", "*"])
def test_only_http_1_0_may_leave_the_host_out(host: str | None, configured: str) -> None:
    hosts = Hosts(read_hosts(configured))
    hosts.check(to(host, version="1.0"))
    with pytest.raises(BadRequest, match="The Host header is missing"):
        hosts.check(to(host))


@pytest.mark.parametrize("host", ["evil.example,x.localhost", "localhost,localhost", "localhost,"])
def test_several_hosts_are_no_request(host: str) -> None:
    for configured in ("", "*"):
        with pytest.raises(BadRequest, match="There is more than one Host header; send it once."):
            Hosts(read_hosts(configured)).check(to(host))


@pytest.mark.parametrize("host", NO_HOSTS)
def test_where_every_host_is_answered_for_it_still_has_to_be_one(host: str) -> None:
    with pytest.raises(Misdirected):
        Hosts(read_hosts("*")).check(to(host))


@pytest.mark.parametrize(
    ("host", "written"), [("::1", "[::1]"), ("[::1]", "[::1]"), ("a", "a"), ("0.0.0.0", "0.0.0.0")]
)
def test_an_address_to_listen_on_may_lack_its_brackets(host: str, written: str) -> None:
    assert bracketed(host) == written


@pytest.mark.parametrize("text", ["a:80", "a b", "http://a", "a,", "[::1]:80", "-a"])
def test_other_text_is_no_host(text: str) -> None:
    with pytest.raises(ValueError):
        read_hosts(text)


@pytest.mark.parametrize(
    ("header", "host"), [("A.b:1", "a.b"), ("[2001:DB8::1]:1", "2001:db8::1"), ("", ""), ("[", "")]
)
def test_the_host_of_a_header(header: str, host: str) -> None:
    assert host_of(header) == host


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("GET", "/healthz"), ("GET", "/nowhere"), ("POST", "/predict"), ("OPTIONS", "/predict"),
        ("GET", "/docs/static/images/swagger.svg"), ("POST", "/experiments"), ("HEAD", "/variants"),
    ],
)  # fmt: skip
def test_every_path_asks_for_our_host(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method, headers={"Host": "evil.example", **ADMIN})
    assert answer.status_code == 421
    assert method == "HEAD" or json_of(answer)["title"] == "Misdirected Request"


def test_refusals_are_counted(make_client: MakeClient) -> None:
    client = make_client(hosts="digits.example.org")
    assert client.get("/healthz", headers={"Host": "digits.example.org"}).status_code == 200
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 421
    assert b'gateway_refused_total{reason="host"} 1.0' in client.get("/metrics").data
