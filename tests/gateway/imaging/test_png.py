import zlib

import pytest
from PIL import ExifTags

from serving.gateway.imaging.decode import open_image
from serving.gateway.imaging.png import without_compressed_metadata
from testing.attack.mutations import png, png_chunks
from testing.encoded import drawn, encode

WHOLE = encode(drawn(7))
MUCH = zlib.compress(bytes(1_000_000))


@pytest.mark.parametrize(
    ("kind", "body"),
    [(b"zTXt", b"Comment\0\0" + MUCH), (b"iTXt", b"Comment\0\1\0\0\0" + MUCH), (b"iCCP", b"Comment\0\0" + MUCH)],
    ids=["text", "international text", "profile"],
)
def test_compressed_metadata_are_left_out_wherever_they_stand(kind: bytes, body: bytes) -> None:
    first, *image, last = png_chunks(WHOLE)
    data = png([first, (kind, body), (kind, body), *image, (kind, body), last])
    assert without_compressed_metadata(data) == WHOLE
    assert "Comment" not in open_image(data, 100_000).info


def test_other_metadata_are_kept() -> None:
    orientation = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'
    first, *rest = png_chunks(WHOLE)
    data = png([first, (b"iTXt", orientation), *rest])
    assert without_compressed_metadata(data) == data
    assert open_image(data, 100_000).getexif()[ExifTags.Base.Orientation] == 6


def test_text_that_looks_like_compressed_text_is_kept() -> None:
    first, *rest = png_chunks(WHOLE)
    data = png([first, (b"tEXt", b"Comment\0zTXt iTXt iCCP"), *rest])
    assert without_compressed_metadata(data) == data


@pytest.mark.parametrize("cut", [9, 40, 60, 75, 90])
def test_a_file_that_is_cut_off_stays_so(cut: int) -> None:
    data = png([*png_chunks(WHOLE)[:1], (b"zTXt", b"Comment\0\0" + MUCH)])[:cut]
    assert len(without_compressed_metadata(data)) <= cut
