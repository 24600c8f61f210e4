"""Refused requests are forgotten at once: held until a collection of garbage, large bodies would fill the memory."""

import gc
from collections.abc import Iterator

import pytest
from PIL import Image

from testing.asgi import post
from testing.encoded import drawn, encode
from tests.gateway.conftest import MakeClient

DIGIT, BLANK = drawn(7), Image.new("L", (200, 220), 255)
SEVERAL = Image.new("L", (440, 220), 255)
SEVERAL.paste(DIGIT, (0, 0))
SEVERAL.paste(DIGIT, (220, 0))
LARGE = encode(drawn(7).resize((1000, 1000)))  # decoded in a thread
BODIES = [
    ("application/json", b"{", 400),
    ("application/json", b'{"instances": [[[1]]]}', 422),
    ("application/json", b'{"instances": [{"b64": "AAAA"}]}' + b" " * 40_000, 422),
    ("image/png", b"no image", 422),
    ("image/png", b"no image" * 10_000, 422),
    ("image/png", LARGE[:-2000], 422),
    ("image/png", LARGE, 413),
    ("image/png", encode(BLANK), 422),
    ("image/png", encode(SEVERAL), 422),
    ("image/gif", encode(BLANK, "GIF", save_all=True, append_images=[Image.new("L", BLANK.size, 254)]), 422),
    ("text/plain", b"text", 415),
]


@pytest.fixture
def garbage() -> Iterator[list[object]]:
    """The objects that only a collection of garbage finds, once it is asked for."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize("path", ["/predict", "/compare"])
@pytest.mark.parametrize(("content_type", "body", "status"), BODIES)
def test_a_refused_request_leaves_nothing(
    make_client: MakeClient, garbage: list[object], path: str, content_type: str, body: bytes, status: int
) -> None:
    client = make_client(max_pixels=2_000_000 if status != 413 else 10_000)
    post(client, path, content_type, body)  # what is made once
    gc.collect()
    garbage.clear()
    assert post(client, path, content_type, body) == status
    gc.collect()
    frames = [each for each in garbage if type(each).__name__ == "frame"]
    assert [frame.f_code.co_qualname for frame in frames] == []  # type: ignore[attr-defined]
