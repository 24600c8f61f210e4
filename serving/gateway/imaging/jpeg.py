"""Open JPEG files as phones and cut connections leave them: a video behind the image, or no end marker."""

import re
from io import BytesIO
from typing import Any

from PIL.JpegImagePlugin import JpegImageFile

START, END = b"\xff\xd8\xff", b"\xff\xd9"
MOST_SCANS = 100  # of a progressive JPEG, which usually has ten; each costs a pass over all pixels
MOST_SEGMENTS = 1000  # between scans: tables and comments
MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")  # of a segment; the others stand inside an image's data
END_OF_IMAGE, START_OF_SCAN = b"\xd9", b"\xda"
# The end of a scan's header: its last coefficient, and in four bits how many finer bits are still to come.
LAST_COEFFICIENT, FINER_TO_COME = b"\x3f", 0x0F
IN_SCAN = 4  # bytes before the number of components in a scan's header
COEFFICIENT_BYTES = 2  # in memory, where libjpeg keeps all of them until the last scan
DECODED_TO_CHECK = 3  # times, where the end marker is missing
SKETCH_SIDE = 1024  # pixels, of which a check decodes fewer than four times the square
# Image data that is seen where data were missing, and skipped after the last of them; it may follow half a marker.
FILLER = bytes([0, *range(1, 255)]) * 4


class Unreadable(ValueError):
    """A JPEG image that takes too long to decode, or lacks scans; the text says which."""


class UnendedJpeg(JpegImageFile):
    """A JPEG image without an end marker; `load` raises OSError where image data are missing too."""

    def __init__(self, data: bytes) -> None:
        self.unchecked = data
        super().__init__(BytesIO(data + END))

    def load(self) -> Any:
        """Decode the image; refuse one that depends on what follows its data."""
        data, self.unchecked = self.unchecked, b""
        if data and _sketch(data + END) != _sketch(data + FILLER + END):
            raise OSError("the image data end early")
        return super().load()


def open_jpeg(data: bytes) -> JpegImageFile:
    """Read the header of a JPEG image; raise Unreadable, or what Pillow raises.

    Unlike Image.open, open the first image where the file has several: their index is often wrong.
    """
    stream = BytesIO(data)
    image = JpegImageFile(stream)
    return image if _is_ended(data, _first_scan(stream), len(image.getbands())) else UnendedJpeg(data)


def bytes_held(image: JpegImageFile) -> float:
    """Return the bytes a pixel that an opened image takes until its last scan, 0 where one scan has all components."""
    assert isinstance(image.fp, BytesIO)
    at = _first_scan(image.fp) + IN_SCAN
    if image.fp.getvalue()[at : at + 1] == bytes([image.layers]) and not image.info.get("progressive"):
        return 0.0
    factors = [(across, down) for _, across, down, _ in image.layer] or [(1, 1)]
    most = max(across for across, _ in factors) * max(down for _, down in factors)
    return COEFFICIENT_BYTES * sum(across * down for across, down in factors) / max(most, 1)


def _first_scan(stream: BytesIO) -> int:
    """Return where the first scan of an opened file begins."""
    return max(stream.getvalue().rfind(b"\xff" + START_OF_SCAN, 0, stream.tell()), 0)


def _is_ended(data: bytes, at: int, components: int) -> bool:
    """Say whether the image whose first scan begins at `at` has an end marker; raise Unreadable."""
    scans, whole = 0, set[int]()
    for _ in range(MOST_SEGMENTS):
        marker = MARKER.search(data, at)
        if marker is None:
            if len(whole) < components:
                raise Unreadable("The JPEG image is damaged or cut off: its last scans are missing.")
            if scans * DECODED_TO_CHECK > MOST_SCANS:
                break
            return False
        if marker[1] == END_OF_IMAGE:
            return True
        start, at = marker.end(), marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
        if marker[1] == START_OF_SCAN:
            scans += 1
            whole |= _completed(data[start:at])
            if scans > MOST_SCANS:
                break
    raise Unreadable(f"The JPEG image has more than {MOST_SCANS} scans, or {MOST_SEGMENTS} segments between them.")


def _completed(header: bytes) -> set[int]:
    """Return the components of which a scan holds the last data: up to the last coefficient, with no finer bits."""
    if header[-2:-1] != LAST_COEFFICIENT or header[-1] & FINER_TO_COME:
        return set()
    return set(header[3:-3:2])


def _sketch(data: bytes) -> bytes:
    image = JpegImageFile(BytesIO(data))
    image.draft("L", (SKETCH_SIDE, SKETCH_SIDE))
    return image.tobytes()
