import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serving.gateway.errors import BadRequest, GatewayError, TooLarge, Unprocessable
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.web import instances
from serving.gateway.web.instances import read_instances

SMALL = ImageFormat(height=8, width=8, framing="mnist")
ROW = list(range(8))
IMAGE = [ROW] * 8
PACKED = bytes(ROW) * 8
TOO_MANY = "at most 1,056 and 1,260 are read. Send less in one request."


def read(body: Any, most: int = 4) -> list[bytes | str]:
    return read_instances(body if isinstance(body, bytes) else json.dumps(body).encode(), SMALL, most)


def with_row(row: Any) -> dict[str, Any]:
    """Return a body whose second image has `row` as its third."""
    return {"instances": [IMAGE, [ROW, ROW, row, *IMAGE[3:]]]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"instances": [IMAGE]}, [PACKED]),
        ({"instances": [IMAGE, {"b64": "AA"}, IMAGE]}, [PACKED, "AA", PACKED]),
        ({"instances": [{"b64": "AA", "title": True}]}, ["AA"]),
        ({"signature_name": "serving_default", "instances": [IMAGE], "parameters": {"x": False}}, [PACKED]),
    ],
)
def test_pixels_are_packed_and_texts_kept(body: Any, expected: list) -> None:
    assert read(body) == expected


@pytest.mark.parametrize(
    ("body", "place", "detail"),
    [
        (with_row([*ROW[:5], 256, 0, 0]), "/instances/1/2/5", "Input should be less than or equal to 255"),
        (with_row([-1, *ROW[1:]]), "/instances/1/2/0", "Input should be greater than or equal to 0"),
        (with_row([0.5, *ROW[1:]]), "/instances/1/2/0", "Input should be a valid integer"),
        (with_row([1.0, *ROW[1:]]), "/instances/1/2/0", "Input should be a valid integer"),
        (with_row([float("nan"), *ROW[1:]]), "/instances/1/2/0", "Input should be a valid integer"),
        (with_row([float("inf"), *ROW[1:]]), "/instances/1/2/0", "Input should be a valid integer"),
        (with_row([True, *ROW[1:]]), "/instances/1/2/0", "Input should be a valid integer"),
        (with_row(["0", *ROW[1:]]), "/instances/1/2/0", "Input should be a valid integer"),
        (with_row([None, *ROW[1:]]), "/instances/1/2/0", "Input should be a valid integer"),
        (with_row([10**30, *ROW[1:]]), "/instances/1/2/0", "Input should be less than or equal to 255"),
        (with_row(ROW[1:]), "/instances/1/2", "Input should have 8 pixels, not 7"),
        (with_row([]), "/instances/1/2", "Input should have 8 pixels, not 0"),
        (with_row(8), "/instances/1/2", "Input should be a valid array"),
        (with_row("12345678"), "/instances/1/2", "Input should be a valid array"),
        (with_row({"0": 1}), "/instances/1/2", "Input should be a valid array"),
        ({"instances": [IMAGE[1:]]}, "/instances/0", "Input should have 8 rows, not 7"),
        ({"instances": [[8] * 8]}, "/instances/0/0", "Input should be a valid array"),
        ({"instances": [list(PACKED)]}, "/instances/0/0", "Input should be a valid array"),
        ({"instances": [[IMAGE]]}, "/instances/0/0/0", "Input should be a valid integer"),
        ({"instances": []}, "/instances", "List should have at least 1 item after validation, not 0"),
        ({"instances": IMAGE[0]}, "/instances/0", 'Input should be a list of rows of pixels, or {"b64": "…"}'),
        ({"instances": {"b64": "AA"}}, "/instances", "Input should be a valid array"),
        ({"instances": None}, "/instances", "Input should be a valid array"),
        ({"instances": [{}]}, "/instances/0/b64", "Field required"),
        ({"instances": [{"b64": 5}]}, "/instances/0/b64", "Input should be a valid string"),
        ({"inputs": [IMAGE]}, "/instances", "Field required"),
        ([IMAGE], "", "Input should be an object"),
        (b"7", "", "Input should be an object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(body: Any, place: str, detail: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        read(body)
    (fault,) = caught.value.faults
    assert fault.pointer == place
    assert fault.detail.startswith(detail)


@pytest.mark.parametrize("body", [b"", b"{", b'{"instances": [[[0,', b"[1, 2] x", b"\xff\xfe", b"[" * 900])
def test_what_is_no_json_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"The body is not JSON: .+ at line \d+ column \d+\."):
        read(body)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"instances": [IMAGE] * 5}, "There are 5 instances; at most 4 are taken."),
        (
            b'{"instances": [' + b"[]," * 2000,
            TOO_MANY,
        ),
        (b'{"a":"",' * 500, TOO_MANY),
        (b'{"instances": [[' + b"0," * 2000, TOO_MANY),
        (b"[" * 100_000, TOO_MANY),
    ],
)
def test_too_much_is_refused(body: Any, detail: str) -> None:
    with pytest.raises(TooLarge) as caught:
        read(body)
    assert caught.value.detail.endswith(detail)


def thoroughly(body: bytes) -> None:
    raise ValueError("not the quick way")


def outcome(body: bytes) -> object:
    try:
        return read(body)
    except GatewayError as error:
        return type(error), error.detail


values = st.sampled_from([*range(9), 255, 256, -1, 0.5, 1.0, True, None, "1", "b64", [], {}])
rows = st.lists(values, min_size=7, max_size=9) | st.just(ROW) | values
images = st.lists(rows, min_size=7, max_size=9) | st.just(IMAGE) | st.fixed_dictionaries({"b64": values}) | values
bodies = st.fixed_dictionaries({"instances": st.lists(images, max_size=3)}) | st.lists(images)


@given(bodies)
@example({"instances": [IMAGE]})
@example({"instances": [[[*ROW[:7], True]] * 8]})
@example({"instances": [[8] * 8]})
def test_the_quick_way_never_says_anything_but_the_thorough_one(body: Any) -> None:
    text = json.dumps(body).encode()
    quick = outcome(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instances, "_parsed", thoroughly)
        assert outcome(text) == quick
