import json
import os
from pathlib import Path
from typing import Any

import pytest

from serving.gateway.errors import Unavailable
from serving.gateway.manifest import ManifestFile
from testing.manifest import MANIFEST, variant


def replace(path: Path, content: dict[str, Any] | str) -> None:
    new = path.with_suffix(".new")
    new.write_text(content if isinstance(content, str) else json.dumps(content))
    os.replace(new, path)


@pytest.fixture
def path(manifest_folder: Path) -> Path:
    return manifest_folder / "manifest.json"


def test_a_replaced_manifest_is_read_at_the_next_look(path: Path) -> None:
    file = ManifestFile(path)
    assert file.current().default == "plain"
    assert file.current() is file.current()
    replace(path, {**MANIFEST, "default": "dropout"})
    assert file.current().default == "dropout"


@pytest.mark.parametrize("broken", ["", '{"schema": 1', "[]", json.dumps({**MANIFEST, "default": "gone"})])
def test_a_broken_new_manifest_is_logged_once_and_the_old_one_kept(
    path: Path, broken: str, gateway_log: pytest.LogCaptureFixture
) -> None:
    file = ManifestFile(path)
    before = file.current()
    replace(path, broken)
    gateway_log.clear()
    assert file.current() is file.current() is before
    (message,) = gateway_log.messages
    assert message.startswith(f"{path} is no valid manifest: ")
    assert message.endswith("The manifest read before stays in use.")


def test_a_manifest_that_vanishes_leaves_the_old_one(path: Path) -> None:
    file = ManifestFile(path)
    before = file.current()
    path.unlink()
    assert file.current() is before


def test_a_missing_manifest_is_an_error_until_it_appears(path: Path) -> None:
    path.rename(path.with_suffix(".away"))
    file = ManifestFile(path)
    with pytest.raises(Unavailable) as caught:
        file.current()
    assert caught.value.detail == f"{path} does not exist; the training job writes it (python -m training train)."
    path.with_suffix(".away").rename(path)
    assert file.current().default == "plain"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema": 2}, "schema: Input should be 1"),
        ({"default": "l2"}, "default 'l2' is not among the variants plain, dropout"),
        ({"variants": []}, "variants: List should have at least 1 item"),
        ({"variants": [variant("plain"), variant("plain")]}, "two variants have one name: plain, plain"),
        ({"variants": [variant("../etc")], "default": "../etc"}, "variants.0.name: String should match pattern"),
        ({"image": {"height": 28, "width": 28, "framing": "loose"}}, "framing 'loose' is not known; known: mnist"),
        ({"image": {"height": 0, "width": 28, "framing": "mnist"}}, "image.height: Input should be greater than"),
        ({"classes": ["0"]}, "classes: List should have at least 2 items"),
    ],
)
def test_what_is_wrong_is_named(path: Path, change: dict[str, Any], problem: str) -> None:
    replace(path, {**MANIFEST, **change})
    with pytest.raises(Unavailable) as caught:
        ManifestFile(path).current()
    assert problem in caught.value.detail
