"""Every sentence of the page is there in every language."""

import json
import re
from pathlib import Path

import pytest

from serving.gateway.views.page import LANGUAGES
from testing.machine import ROOT

PAGE = ROOT / "serving" / "gateway" / "static" / "page"
KEY = re.compile(r'"([a-z]\w*(?:\.\w+)+)"')  # a string such as "draw.heading"
FAMILY = re.compile(r"`([a-z][\w.]*\.)\$\{")  # a template such as `theme.${name}`


def words(language: str) -> dict[str, str]:
    text = (PAGE / "i18n" / f"{language}.js").read_text()
    return json.loads(text.removeprefix("export default").rstrip().removesuffix(";"))


def sources() -> list[Path]:
    return [path for path in PAGE.rglob("*.js") if path.parent.name != "i18n"]


def places(sentence: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", sentence))


def test_there_is_a_dictionary_for_each_language() -> None:
    assert {path.stem for path in (PAGE / "i18n").glob("*.js")} == set(LANGUAGES)
    assert re.findall(r"(\w+): \"", re.findall(r"LANGUAGES = \{(.*?)\}", (PAGE / "i18n.js").read_text())[0]) == list(
        LANGUAGES
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_dictionary_has_every_key_with_the_same_places(language: str) -> None:
    english, others = words("en"), words(language)
    assert others.keys() == english.keys()
    assert {key: places(text) for key, text in others.items()} == {key: places(text) for key, text in english.items()}
    assert [key for key, text in others.items() if not text.strip()] == []


def test_every_key_that_is_used_exists_and_every_key_is_used() -> None:
    text = "\n".join(path.read_text() for path in sources())
    used, families = set(KEY.findall(text)), set(FAMILY.findall(text))
    known = words("en").keys()
    assert sorted(used - known) == []
    assert [family for family in families if not any(key.startswith(family) for key in known)] == []
    assert [key for key in known if key not in used and not key.startswith(tuple(families))] == []
