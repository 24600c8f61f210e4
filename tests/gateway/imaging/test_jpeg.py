import warnings
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from serving.gateway.imaging.decode import NotAnImage, TooManyPixels, open_image
from testing.encoded import drawn, encode, levels

LIMIT = 1_000_000
SHEET = drawn(7)
SCAN = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0"  # the header of a scan


def photo(progressive: bool, colour: bool = False) -> bytes:
    return encode(SHEET.convert("RGB") if colour else SHEET, "JPEG", progressive=progressive, quality=90)


def test_a_video_behind_the_image_does_not_matter() -> None:
    data = photo(progressive=False)
    video = 8000 * SCAN + b"\0\0\0\x18ftypmp42" + np.random.default_rng(1).bytes(100_000)
    assert (levels(data + video) == levels(data)).all()


def test_the_first_of_several_images_is_read() -> None:
    both = encode(SHEET, "MPO", save_all=True, append_images=[drawn(3)])
    assert Image.open(BytesIO(both)).format == "MPO"
    assert (levels(both) == levels(encode(SHEET, "JPEG"))).all()


def test_an_index_of_images_that_are_not_there_spoils_nothing() -> None:
    both = encode(SHEET, "MPO", save_all=True, append_images=[drawn(3)])
    with warnings.catch_warnings(action="error"):
        assert levels(both[: both.index(b"\xff\xd9") + 2]).shape[:2] == SHEET.size[::-1]


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("progressive", [False, True])
def test_an_end_marker_may_be_missing(progressive: bool, colour: bool) -> None:
    data = photo(progressive, colour)
    for missing in (1, 2):
        assert (levels(data[:-missing]) == levels(data)).all()


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9, 0.97])
@pytest.mark.parametrize("progressive", [False, True])
def test_image_data_may_not_be_missing(progressive: bool, share: float) -> None:
    data = photo(progressive)
    with pytest.raises(NotAnImage, match="The JPEG image is damaged or cut off: "):
        levels(data[: int(share * len(data))])


def test_scans_may_not_be_missing() -> None:
    data = photo(progressive=True)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(NotAnImage, match="The JPEG image is damaged or cut off: its last scans are missing."):
        levels(data[: data.rindex(b"\xff\xc4", 0, last)])


@pytest.mark.parametrize("between", [SCAN, b"\xff\xfe\0\x04\xff\xd9" + SCAN, 20 * b"\xff\xfe\0\x02"])
def test_endless_scans_and_segments_are_refused(between: bytes) -> None:
    with pytest.raises(NotAnImage, match="The JPEG image has more than 100 scans, or 1000 segments between them."):
        open_image(photo(progressive=True)[:-2] + 100 * between + b"\xff\xd9", LIMIT)


def test_endless_scans_are_refused_earlier_where_each_is_decoded_to_check_it() -> None:
    data = photo(progressive=True)[:-2]
    assert open_image(data + 20 * SCAN, LIMIT).format == "JPEG"
    with pytest.raises(NotAnImage, match="The JPEG image has more than 100 scans"):
        open_image(data + 40 * SCAN, LIMIT)


@pytest.mark.parametrize("end", [b"\xff\xda", b"\xff\xda\0\x08\x01", b"\xff"])
def test_a_scan_that_ends_in_its_header_is_missing(end: bytes) -> None:
    data = photo(progressive=True)
    with pytest.raises(NotAnImage, match="The JPEG image is damaged or cut off: "):
        levels(data[: data.rindex(b"\xff\xda")] + end)


@pytest.mark.parametrize(
    ("mode", "subsampling", "most"), [("L", 0, 400), ("RGB", 2, 400), ("RGB", 0, 266), ("CMYK", 0, 200)]
)
def test_an_image_in_several_scans_may_have_fewer_pixels(mode: str, subsampling: int, most: int) -> None:
    def photo(height: int, **options: bool) -> bytes:
        return encode(Image.new(mode, (10, height)), "JPEG", subsampling=subsampling, **options)

    assert open_image(photo(40), 400).format == "JPEG"
    assert open_image(photo(most // 10, progressive=True), 400).format == "JPEG"
    with pytest.raises(TooManyPixels, match=f"at most {most} are decoded"):
        open_image(photo(most // 10 + 1, progressive=True), 400)


def test_scans_of_one_component_each_count_as_several() -> None:
    data = bytearray(encode(SHEET.convert("RGB"), "JPEG", subsampling=0))
    data[data.index(b"\xff\xda") + 4] = 1  # components in the first scan
    with pytest.raises(
        TooManyPixels, match="JPEG in several scans of so much colour, which takes 1.5 times the memory"
    ):
        open_image(bytes(data), SHEET.width * SHEET.height)
