import re

import pytest

from serving.gateway.access.api_keys import accepted, digest, digests
from serving.gateway.commands.new_api_key import main

DIGEST = digest("one")
KNOWN = frozenset([digest("one"), digest("two")])


@pytest.mark.parametrize("key", ["one", "two"])
def test_every_known_key_is_accepted(key: str) -> None:
    assert accepted(key, KNOWN) == digest(key)


@pytest.mark.parametrize("key", ["", "three", "One", digest("one"), "é" * 1000])
def test_no_other_is(key: str) -> None:
    assert accepted(key, KNOWN) is None


def test_digests_are_separated_by_commas() -> None:
    assert digests(f"{digest('one').upper()}, {digest('two')}") == KNOWN
    assert digests("") == frozenset()


@pytest.mark.parametrize("text", ["secret", DIGEST + ",", DIGEST[:-1], DIGEST + "\n" + DIGEST])
def test_what_is_no_digest_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        digests(text)


def test_a_key_that_is_made_fits_its_digest(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    made = re.search(r"Bearer (\S{43})\n.*GATEWAY_API_KEYS=(\S+)\n", capsys.readouterr().out)
    assert made and accepted(made[1], digests(made[2]))
