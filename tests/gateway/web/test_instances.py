import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serving.gateway.errors import BadRequest, GatewayError, TooLarge, Unprocessable
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.web import instances
from serving.gateway.web.instances import read_instances
from serving.gateway.web.pixels import AS_SENT, Reading
from serving.gateway.web.tensors import EncodedText

SMALL = ImageFormat(height=8, width=8, framing="mnist")
ROW = list(range(8))
IMAGE = [ROW] * 8
PACKED = bytes(ROW) * 8
TOO_MANY = "at most 1,056 and 1,260 are read. Send less in one request."


def read(body: Any, most: int = 4, reading: Reading = AS_SENT) -> list[bytes | EncodedText]:
    return read_instances(body if isinstance(body, bytes) else json.dumps(body).encode(), SMALL, most, reading)


def with_row(row: Any) -> dict[str, Any]:
    """Return a body whose second image has `row` as its third."""
    return {"instances": [IMAGE, [ROW, ROW, row, *IMAGE[3:]]]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"instances": [IMAGE]}, [PACKED]),
        ({"instances": [IMAGE, {"b64": "AA"}, IMAGE]}, [PACKED, EncodedText("/instances/1/b64", "AA"), PACKED]),
        ({"instances": [{"b64": "AA", "title": True}]}, [EncodedText("/instances/0/b64", "AA")]),
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
        (with_row([7.5, *ROW[1:]]), "/instances/1/2/0", "Input should be a valid integer"),
        (with_row([256.0, *ROW[1:]]), "/instances/1/2/0", "Input should be less than or equal to 255"),
        (with_row([-1.0, *ROW[1:]]), "/instances/1/2/0", "Input should be greater than or equal to 0"),
        (with_row([10**400, *ROW[1:]]), "/instances/1/2/0", "Input should be less than or equal to 255"),
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
        ({"instances": [list(PACKED[1:])]}, "/instances/0", "Input should have 8 rows, not 63"),
        ({"instances": [[*PACKED[1:], 256]]}, "/instances/0/63", "Input should be less than or equal to 255"),
        ({"instances": [[IMAGE]]}, "/instances/0", "Input should have 8 rows, not 1"),
        (with_row([[1], [2, 3], *ROW[2:]]), "/instances/1/2/0", "Input should be a valid integer"),
        ({"instances": [[[[1]] * 7 + [[1, 2]]] * 8]}, "/instances/0/0/7", "Input should have 1 channel, not 2"),
        ({"instances": [[[[1]] * 7 + [1]] * 8]}, "/instances/0/0/7", "Input should be a valid array"),
        ({"instances": [[[[1]] * 7 + [[256]]] * 8]}, "/instances/0/0/7/0", "Input should be less than or equal to 255"),
        ({"instances": []}, "/instances", "List should have at least 1 item after validation, not 0"),
        ({"instances": IMAGE[0]}, "/instances/0", 'Input should be a list of rows of pixels, or {"b64": "…"}'),
        ({"instances": {"b64": "AA"}}, "/instances", "Input should be a valid array"),
        ({"instances": None}, "/instances", "Input should be a valid array"),
        ({"instances": [{}]}, "/instances/0/b64", "Field required"),
        ({"instances": [{"b64": 5}]}, "/instances/0/b64", "Input should be a valid string"),
        ({}, "/instances", "Field required"),
        ({"instances": [{"image": IMAGE}]}, "/instances/0/image", "There is no input 'image'; there is 'images'"),
        ({"instances": [{"images": IMAGE, "n": 1}]}, "/instances/0/n", "There is no input 'n'; there is 'images'"),
        ({"instances": [{"images": {"images": IMAGE}}]}, "/instances/0/images/b64", "Field required"),
        ({"instances": [{"images": IMAGE[1:]}]}, "/instances/0/images", "Input should have 8 rows, not 7"),
        ({"instances": [IMAGE], "inputs": [IMAGE]}, "/inputs", "Send one of 'instances' and 'inputs', not both"),
        ({"inputs": IMAGE}, "/inputs/0/0", "Input should be a valid array"),
        ({"inputs": []}, "/inputs", "List should have at least 1 item after validation, not 0"),
        ({"inputs": {"x": [IMAGE]}}, "/inputs/x", "There is no input 'x'; there is 'images'"),
        ({"inputs": {}}, "/inputs/images", "Field required"),
        ({"inputs": {"images": 5}}, "/inputs/images", "Input should be a valid array"),
        ({"inputs": {"images": [IMAGE[1:]]}}, "/inputs/images/0", "Input should have 8 rows, not 7"),
        ({"inputs": [{"images": IMAGE}]}, "/inputs/0/b64", "Field required"),
        ({"instances": [IMAGE], "signature_name": "x"}, "/signature_name", "There is no signature 'x'; there are s"),
        ({"instances": [IMAGE], "signature_name": 5}, "/signature_name", "Input should be a valid string"),
        ({"instances": [IMAGE], "signature_name": "mc_dropout"}, "/signature_name", "Ask signature 'mc_dropout'"),
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


FLAT = list(PACKED)
FLOATS = [[float(level) for level in ROW]] * 8
CHANNELS = [[[level] for level in ROW]] * 8


@pytest.mark.parametrize("image", [IMAGE, FLAT, FLOATS, CHANNELS, [float(level) for level in FLAT]])
@pytest.mark.parametrize(
    "form",
    [
        lambda image: {"instances": [image]},
        lambda image: {"inputs": [image]},
        lambda image: {"instances": [{"images": image}]},
        lambda image: {"inputs": {"images": [image]}},
        lambda image: {"instances": [image], "signature_name": ""},
    ],
    ids=["rows", "columns", "named rows", "named columns", "no signature"],
)
def test_every_form_and_shape_of_tf_serving_is_read(form: Any, image: list) -> None:
    assert read(form(image)) == [PACKED]
    text = read(form({"b64": "AA"}))[0]
    assert isinstance(text, EncodedText)
    assert text.text == "AA"


def test_a_text_keeps_its_place() -> None:
    assert read({"instances": [IMAGE, {"images": {"b64": "A"}}]})[1] == ("/instances/1/images/b64", "A")
    assert read({"inputs": {"images": [{"b64": "A"}]}})[0] == ("/inputs/images/0/b64", "A")


def test_a_byte_order_mark_is_skipped() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps({"instances": [IMAGE]}).encode()) == [PACKED]


def test_the_signature_that_is_asked_may_be_named() -> None:
    body = {"instances": [IMAGE], "signature_name": "mc_dropout"}
    assert read(body, reading=Reading(signature="mc_dropout")) == [PACKED]


HALF = [[level / 14 for level in ROW]] * 8  # of 0…1
BINARY = [[0, 0, 0, 1, 1, 0, 0, 0]] * 8
SCALED = "the pixels look scaled to 0…1. Send 0…255, or add ?scale=1"


@pytest.mark.parametrize(
    ("image", "place", "levels"),
    [
        (HALF, "/instances/0/0/1", [round(255 * level / 14) for level in ROW] * 8),
        ([level for row in HALF for level in row], "/instances/0/1", [round(255 * level / 14) for level in ROW] * 8),
        (BINARY, "/instances", [0, 0, 0, 255, 255, 0, 0, 0] * 8),
        ([[float(level) for level in row] for row in BINARY], "/instances", [0, 0, 0, 255, 255, 0, 0, 0] * 8),
    ],
)
def test_pixels_of_0_to_1_are_read_where_the_scale_says_so(image: list, place: str, levels: list) -> None:
    with pytest.raises(Unprocessable) as caught:
        read({"instances": [image]})
    (fault,) = caught.value.faults
    assert fault.pointer == place
    assert fault.detail.endswith(SCALED)
    assert read({"instances": [image]}, reading=Reading(scale=1)) == [bytes(levels)]


@pytest.mark.parametrize(
    ("body", "place"), [({"inputs": [BINARY]}, "/inputs"), ({"inputs": {"images": [BINARY]}}, "/inputs/images")]
)
def test_pixels_of_another_scale_are_placed_where_they_are(body: Any, place: str) -> None:
    with pytest.raises(Unprocessable, match=f"^{place}: .*{SCALED[:20]}") as caught:
        read(body)
    assert [fault.pointer for fault in caught.value.faults] == [place]


def test_dark_images_beside_others_are_not_scaled() -> None:
    blank = [[0] * 8] * 8
    assert read({"instances": [blank]}) == [bytes(64)]
    assert len(read({"instances": [BINARY, IMAGE]})) == 2


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (1.5, "Input should be less than or equal to 1"),
        (-0.5, "Input should be greater than or equal to 0"),
        (float("nan"), "Input should be a valid number"),
        (True, "Input should be a valid number"),
    ],
)
def test_other_pixels_are_wrong_at_scale_1(value: Any, detail: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        read({"instances": [[[0, 1, value, 0.5, 0, 0, 0, 0]] * 8]}, reading=Reading(scale=1))
    assert caught.value.faults == (("/instances/0/0/2", detail),)


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
names = st.sampled_from(["", "serving_default", "mc_dropout", 1])
bodies = st.fixed_dictionaries(
    {"instances": st.lists(images, max_size=3)}, optional={"inputs": values, "signature_name": names}
) | st.lists(images)


@given(bodies)
@example({"instances": [IMAGE]})
@example({"instances": [[[*ROW[:7], True]] * 8]})
@example({"instances": [[8] * 8]})
@pytest.mark.slow
def test_the_quick_way_never_says_anything_but_the_thorough_one(body: Any) -> None:
    text = json.dumps(body).encode()
    quick = outcome(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instances, "_parsed", thoroughly)
        assert outcome(text) == quick
