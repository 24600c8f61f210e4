"""Tell a file's format by its first bytes: names and content types are often wrong."""

import re

HEAD = 1024  # bytes in which an SVG's first element is looked for
BLANK = bytes(8)
READ = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff[\xc0-\xfe]|GIF8[79]a|RIFF....WEBP"
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",  # with its header's size: raw pixels may begin with BM
    re.DOTALL,
)
UNREAD = {
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "PDF": re.compile(rb"%PDF-"),
    "AVIF": re.compile(rb".{4}ftyp(avi[fs]|mi[af][1-9].{4}(.{4})*?avi[fs])", re.DOTALL),
    "HEIC": re.compile(rb".{4}ftyp(he[iv][cmsx]|m[is]f1)", re.DOTALL),
    "MP4 or QuickTime": re.compile(rb".{4}ftyp", re.DOTALL),
    "JPEG XL": re.compile(rb"\0\0\0\x0cJXL \r\n\x87\n"),
    "JPEG 2000": re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n"),
    "Photoshop": re.compile(rb"8BPS\0"),
}


def is_known(data: bytes) -> bool:
    """Say whether `data` begin as a file of a known format, read or not, rather than as pixels or text."""
    return is_read(data) or unread_format(data) is not None


def is_read(data: bytes) -> bool:
    """Say whether `data` begin as an image that can be decoded."""
    return READ.match(data) is not None


def unread_format(data: bytes) -> str | None:
    """Return the name of a known format that is not decoded, None for any other data."""
    head = data[:HEAD]
    if head.startswith(BLANK):  # as most images' first pixels are: this is asked of all raw bytes
        return None
    for name, start in UNREAD.items():
        if start.match(head[:64]):
            return name
    return "SVG" if head.lstrip(b"\xef\xbb\xbf\t\r\n ").startswith(b"<") and b"<svg" in head else None
