import re
import sys

import pytest

from serving.gateway.access.api_keys import Scope, UnknownScope, digest, entry, read_keys, scopes
from serving.gateway.commands.new_api_key import main

DIGEST = digest("one")
KNOWN = {digest("one"): {Scope.PREDICT}, digest("two"): {Scope.LABEL}}


def test_entries_are_separated_by_commas() -> None:
    assert read_keys(f"{digest('one').upper()}, label:{digest('two')}") == KNOWN
    assert read_keys(f"Predict:{digest('one')},LABEL:{digest('two').upper()}") == KNOWN
    assert read_keys("") == {}


@pytest.mark.parametrize("text", [f"{DIGEST},read:{DIGEST}", f"read:{DIGEST},predict:{DIGEST},read:{DIGEST}"])
def test_the_scopes_of_a_key_add_up(text: str) -> None:
    assert read_keys(text) == {DIGEST: {Scope.PREDICT, Scope.READ}}


def test_the_scopes_that_there_are() -> None:
    assert scopes(read_keys("")) == set()
    assert scopes(read_keys(f"{digest('one')},label:{digest('two')}")) == {Scope.PREDICT, Scope.LABEL}


@pytest.mark.parametrize(
    "text", ["secret", DIGEST + ",", DIGEST[:-1], DIGEST + "\n" + DIGEST, "label:", "label:secret"]
)
def test_what_is_no_digest_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        read_keys(text)


@pytest.mark.parametrize("scope", ["all", "predict:label", "labels"])
def test_another_scope_is_an_error_that_names_those_there_are(scope: str) -> None:
    with pytest.raises(
        UnknownScope, match=re.escape(f"there is no scope {scope!r}; there are predict, read, label, metrics, admin")
    ):
        read_keys(f"{DIGEST},{scope}:{DIGEST}")


@pytest.mark.parametrize("scope", Scope)
def test_an_entry_is_read_as_what_it_is_made_for(scope: Scope) -> None:
    assert read_keys(entry("one", scope)) == {DIGEST: {scope}}


@pytest.mark.parametrize(
    ("arguments", "scope"),
    [([], Scope.PREDICT), *((["--scope", each], each) for each in Scope)],
)
def test_a_key_that_is_made_fits_its_entry(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], scope: Scope
) -> None:
    monkeypatch.setattr(sys, "argv", ["new_api_key", *arguments])
    main()
    made = re.search(r"Bearer (\S{43})\n.*GATEWAY_API_KEYS=(\S+)\n", capsys.readouterr().out)
    assert made and read_keys(made[2]) == {digest(made[1]): {scope}}


def test_a_key_of_another_scope_is_not_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["new_api_key", "--scope=all"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "--scope: invalid" in capsys.readouterr().err
