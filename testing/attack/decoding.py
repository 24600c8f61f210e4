"""Images that take long to decode, beside another client's small one."""

import struct
import time
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from PIL import Image

from testing.attack.attackers import PROCESSES, Attackers
from testing.attack.gateways import INTRUDER, KEY, running
from testing.attack.mutations import png, png_chunks
from testing.attack.seen import Seen
from testing.attack.watch import MOST_MEMORY, Watch
from testing.attack.wire import CLOSED, PNG, ask, bearer
from testing.encoded import drawn, encode
from testing.running_gateway import Gateway

ADDRESS, OTHER = "127.0.6.1", "127.0.6.2"
THREADS = 6  # in each process: together, each kind is sent
IMAGES = 4
BOUNDARY = "attack"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
MOST_WAIT = 3.0  # seconds of the other client's request: at most one large image is decoded before it
PAUSE = 0.2
CLIENT_SECONDS = 25.0
ALLOWED = {200, 413, 422, 429, 503, CLOSED}
# Colours, sides and options that cost most to decode, and little to encode; each as large as is taken.
SHEETS: Mapping[str, tuple[str, int, Mapping[str, object]]] = {
    "PNG": ("RGBA", 5000, {}),
    "PNG of grey and alpha": ("LA", 5000, {}),
    "PNG of 12 bits": ("I;16", 5000, {}),
    "PNG with a clear colour": ("RGB", 5000, {"transparency": (255, 255, 255)}),
    "JPEG": ("RGB", 5000, {"progressive": True, "quality": 5}),
    "JPEG of inks": ("CMYK", 3535, {"progressive": True, "quality": 5, "subsampling": 0}),
    "WEBP": ("RGBA", 2500, {"quality": 1, "method": 0}),
    "GIF": ("P", 5000, {}),
}
RUNS, TEXT = "BMP in runs", "PNG with text"
KINDS = (*SHEETS, RUNS, TEXT)
BMP_SIDE = 1250
TEXTS, TEXT_BYTES = 60, 1_000_000  # of a PNG: each takes a kilobyte in the file
RUN = 32  # pixels of a run in a BMP: Pillow decodes runs in Python
RATE, BURST = 6, 5  # requests a minute, and at once


def attack(gateway: Gateway, attackers: Attackers, seconds: float, kinds: Sequence[str] = KINDS) -> Seen:
    """Send large images, and time another client's small image meanwhile; see that the rate counts pixels."""
    seen = Seen()
    forms = attackers.run(form, [(kind,) for kind in kinds])
    wait = attackers.start(send, [(gateway.port, seconds, at, forms) for at in range(PROCESSES)])
    until, slowest = time.monotonic() + max(seconds, 1), 0.0
    while time.monotonic() < until:
        began = time.monotonic()
        reply = ask(gateway.port, "POST", "/predict", small(), {"Content-Type": PNG, **bearer(KEY)}, address=OTHER)
        slowest = max(slowest, time.monotonic() - began)
        seen.expect(reply.status == 200, f"another client's small image: {reply.status}")
        time.sleep(PAUSE)
    seen.notes.append(f"another client's small image waits {slowest:.2f} s at most")
    if slowest > MOST_WAIT:
        seen.slow.append(f"another client's small image waits {slowest:.1f} s")
    for statuses in wait():
        seen.expect(set(statuses) <= ALLOWED, f"large images: {dict(statuses)}")
        seen.statuses += statuses
    return seen


def alone() -> Seen:
    """See each kind of image on a gateway of its own, and that the rate counts pixels."""
    seen = every_kind()
    seen += rate_counts_pixels()
    return seen


def rate_counts_pixels() -> Seen:
    """See that one client with large images uses its rate up before it has sent its burst of requests."""
    seen, body = Seen(), form("PNG")
    with running(workers=1, rate_limit=RATE, rate_burst=BURST) as gateway:
        statuses = [ask(gateway.port, "POST", "/predict", body, FORM, address=ADDRESS).status for _ in range(3)]
    seen.expect(
        429 in statuses, f"three requests of {IMAGES * 25} megapixels at a burst of {BURST}: {statuses}, no 429"
    )
    return seen


def every_kind() -> Seen:
    """See that no kind of image takes a worker beyond its memory."""
    seen = Seen()
    with running(workers=1) as gateway, Watch(gateway) as watch:
        for kind in KINDS:
            watch.peak = 0
            reply = ask(gateway.port, "POST", "/predict", form(kind), FORM, address=ADDRESS)
            found = f"{kind}: {watch.peak / 1e6:.0f} MB"
            seen.notes.append(found)
            seen.expect(reply.status == 200, f"{kind}: {reply.status} {reply.body.decode()[:100]}")
            seen.expect(watch.peak < MOST_MEMORY, f"{found} of a worker; at most {MOST_MEMORY / 1e6:.0f} are right")
    return seen


def send(port: int, seconds: float, number: int, forms: list[bytes]) -> Counter[int]:
    """Send forms of large images until the time is over; return the statuses."""
    until = time.monotonic() + seconds

    def one(at: int) -> Counter[int]:
        path, body = ("/predict", "/compare")[at % 2], forms[(at + number * THREADS) % len(forms)]
        statuses, headers = Counter[int](), {**FORM, **bearer(INTRUDER)}
        while not statuses or time.monotonic() < until:
            statuses[ask(port, "POST", path, body, headers, address=ADDRESS, seconds=CLIENT_SECONDS).status] += 1
        return statuses

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(one, range(THREADS)), Counter[int]())


def form(kind: str) -> bytes:
    """Return a form of IMAGES images."""
    file = _bmp_of_runs() if kind == RUNS else _with_text() if kind == TEXT else _sheet(kind)
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="7"\r\n\r\n'.encode()
    return b"".join(head + file + b"\r\n" for _ in range(IMAGES)) + f"--{BOUNDARY}--\r\n".encode()


def _sheet(kind: str) -> bytes:
    mode, side, options = SHEETS[kind]
    sheet = Image.new("L", (side, side), "white")
    sheet.paste(drawn(7), (side // 3, side // 3))
    if mode == "I;16":
        return encode(np.asarray(sheet).astype(np.uint16) << 4)
    return encode(
        sheet.convert("RGB").convert(mode) if mode == "CMYK" else sheet.convert(mode), kind.split()[0], **options
    )


def _with_text() -> bytes:
    """Return a small PNG with much text."""
    first, *rest = png_chunks(encode(drawn(7)))
    text = zlib.compress(bytes(TEXT_BYTES), 9)
    return png([first, *((b"zTXt", b"%d\0\0" % at + text) for at in range(TEXTS)), *rest])


def _bmp_of_runs() -> bytes:
    """Return a BMP in runs of RUN pixels: a black square on white."""
    side, ink = BMP_SIDE, range(BMP_SIDE // 3, BMP_SIDE // 2)
    palette = bytes(4) + b"\xff\xff\xff\0"
    rows = b"".join(_bmp_row(ink if at in ink else range(0)) for at in range(side)) + b"\0\1"  # the end of the image
    start = 14 + 40 + len(palette)
    header = struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start)
    return header + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(rows), 0, 0, 2, 0) + palette + rows


def _bmp_row(ink: range) -> bytes:
    runs = (bytes((min(RUN, BMP_SIDE - at), at not in ink)) for at in range(0, BMP_SIDE, RUN))
    return b"".join(runs) + b"\0\0"  # the end of the line


@cache
def small() -> bytes:
    """Return a PNG of 300 × 300 pixels."""
    sheet = Image.new("L", (300, 300), "white")
    sheet.paste(drawn(7), (50, 40))
    return encode(sheet)
