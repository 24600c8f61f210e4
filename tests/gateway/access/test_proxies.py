import pytest

from serving.gateway.access.proxies import MOST_PROXIES, client_address, network_of, networks, within

TRUSTED = networks("10.0.0.0/8, 127.0.0.1,fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "9.9.9.9, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "1.2.3.4, 10.0.0.7,127.0.0.1", "1.2.3.4"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        ("5.6.7.8", "1.2.3.4", "5.6.7.8"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, unknown", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4:80", "10.0.0.1"),
        ("", "1.2.3.4", ""),
        ("10.0.0.1", "1.2.3.4" + ", 10.0.0.2" * (MOST_PROXIES - 1), "1.2.3.4"),
        ("10.0.0.1", "1.2.3.4, 10.0.0.9" + ", 10.0.0.2" * (MOST_PROXIES - 1), "10.0.0.9"),
        ("::ffff:5.6.7.8", "", "5.6.7.8"),
        ("::ffff:10.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
    ],
)
def test_only_what_trusted_proxies_say_counts(peer: str, forwarded_for: str, client: str) -> None:
    assert client_address(peer, forwarded_for, TRUSTED) == client


@pytest.mark.parametrize("text", ["everybody", "10.0.0.1/8", "10.0.0.0/8,", "*"])
def test_what_is_no_network_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        networks(text)


def test_a_network_in_ipv6_form_holds_ipv4_addresses() -> None:
    assert within("10.1.2.3", networks("::ffff:10.0.0.0/104"))
    assert not within("11.1.2.3", networks("::ffff:10.0.0.0/104"))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(address: str, network: str) -> None:
    assert network_of(address) == network
