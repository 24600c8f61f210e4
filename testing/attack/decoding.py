"""Images that take long to decode, beside another client's small one."""

import struct
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from PIL import Image

from testing.attack.attackers import PROCESSES, Attackers
from testing.attack.gateways import INTRUDER, KEY, running
from testing.attack.seen import Seen
from testing.attack.wire import CLOSED, PNG, ask, bearer
from testing.encoded import drawn, encode
from testing.running_gateway import Gateway

ADDRESS, OTHER = "127.0.6.1", "127.0.6.2"
THREADS = 6  # in each process: together, each format goes to each path
SIDE = 5000  # 25 megapixels
IMAGES = 4
BOUNDARY = "attack"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
MOST_WAIT = 3.0  # seconds of the other client's request: at most one large image is decoded before it
PAUSE = 0.2
CLIENT_SECONDS = 25.0
ALLOWED = {200, 413, 422, 429, 503, CLOSED}
# Colours and options that cost most to decode, and little to encode.
SHEETS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "PNG": ("RGBA", {}),
    "JPEG": ("RGB", {"progressive": True, "quality": 5}),
    "WEBP": ("RGBA", {"quality": 1, "method": 0}),
    "GIF": ("P", {}),
}
KINDS = (*SHEETS, "BMP")
RUN = 32  # pixels of a run in a BMP: Pillow decodes runs in Python, and four such files stay below 8 MiB
RATE, BURST = 6, 5  # requests a minute, and at once


def attack(gateway: Gateway, attackers: Attackers, seconds: float) -> Seen:
    """Send large images, and time another client's small image meanwhile; see that the rate counts pixels."""
    seen = Seen()
    forms = attackers.run(form, [(kind,) for kind in KINDS])
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


def rate_counts_pixels() -> Seen:
    """See that one client with large images uses its rate up before it has sent its burst of requests."""
    seen, body = Seen(), form("PNG")
    with running(workers=1, rate_limit=RATE, rate_burst=BURST) as gateway:
        statuses = [ask(gateway.port, "POST", "/predict", body, FORM, address=ADDRESS).status for _ in range(3)]
    seen.expect(
        429 in statuses, f"three requests of {IMAGES * 25} megapixels at a burst of {BURST}: {statuses}, no 429"
    )
    return seen


def send(port: int, seconds: float, number: int, forms: list[bytes]) -> Counter[int]:
    """Send forms of large images until the time is over; return the statuses."""
    until = time.monotonic() + seconds

    def one(at: int) -> Counter[int]:
        path, body = ("/predict", "/compare")[at % 2], forms[(at + number * THREADS) // 2 % len(forms)]
        statuses, headers = Counter[int](), {**FORM, **bearer(INTRUDER)}
        while not statuses or time.monotonic() < until:
            statuses[ask(port, "POST", path, body, headers, address=ADDRESS, seconds=CLIENT_SECONDS).status] += 1
        return statuses

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(one, range(THREADS)), Counter[int]())


def form(kind: str) -> bytes:
    """Return a form of four images of 25 megapixels each."""
    file = _bmp_of_runs() if kind == "BMP" else _sheet(kind)
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="7"\r\n\r\n'.encode()
    return b"".join(head + file + b"\r\n" for _ in range(IMAGES)) + f"--{BOUNDARY}--\r\n".encode()


def _sheet(kind: str) -> bytes:
    colours, options = SHEETS[kind]
    sheet = Image.new("L", (SIDE, SIDE), "white")
    sheet.paste(drawn(7), (2000, 2000))
    return encode(sheet.convert(colours), kind, **options)


def _bmp_of_runs() -> bytes:
    """Return a BMP in runs of RUN pixels: a black square on white."""
    palette = bytes(4) + b"\xff\xff\xff\0"
    blank, inked = (_bmp_row(ink) for ink in (range(0), range(2000, 2500)))
    rows = blank * 2000 + inked * 500 + blank * (SIDE - 2500) + b"\0\1"  # the end of the image
    start = 14 + 40 + len(palette)
    header = struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start)
    return header + struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 8, 1, len(rows), 0, 0, 2, 0) + palette + rows


def _bmp_row(ink: range) -> bytes:
    runs = (bytes((min(RUN, SIDE - at), at not in ink)) for at in range(0, SIDE, RUN))
    return b"".join(runs) + b"\0\0"  # the end of the line


@cache
def small() -> bytes:
    """Return a PNG of 300 × 300 pixels."""
    sheet = Image.new("L", (300, 300), "white")
    sheet.paste(drawn(7), (50, 40))
    return encode(sheet)
