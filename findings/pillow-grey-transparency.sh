#!/usr/bin/env bash
# Pillow 13.0.0: the transparent level of a grey PNG of 2, 4 or 16 bits is compared with levels of another scale.
#
# PNG states it in the image's own depth (chunk tRNS). Pillow scales the levels of 2 and 4 bits to 8 and leaves it as it
# is; of 16 bits it compares the lowest 8. Optimizers write such files, for instance of a drawing without a ground.
# Seen: at 2 and 4 bits the transparent pixel becomes opaque; at 16 bits it does, and the black one becomes transparent.
# 1 and 8 bits are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: pillow==13.0.0
"$folder/venv/bin/python" - <<'END'
import io
import struct
import zlib

from PIL import Image


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey(depth, row, transparent):
    """Return a grey PNG of one row of packed levels."""
    head = struct.pack(">IIBBBBB", 8 * len(row) // depth, 1, depth, 0, 0, 0, 0)
    parts = (b"IHDR", head), (b"tRNS", struct.pack(">H", transparent)), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


# Each row begins with black and ends with the transparent level.
FILES = {
    1: grey(1, bytes([0b01111111]), 1),
    2: grey(2, bytes([0b00111110]), 2),
    4: grey(4, bytes([0x09]), 9),
    8: grey(8, bytes([0, 128]), 128),
    16: grey(16, struct.pack(">2H", 0, 0x8000), 0x8000),
}
seen = {}
for depth, file in FILES.items():
    alpha = Image.open(io.BytesIO(file)).convert("LA").getchannel("A").tobytes()
    seen[depth] = alpha[0], alpha[-1]
    print(f"{depth:2} bits: alpha of black {alpha[0]}, of the transparent level {alpha[-1]}")
assert seen[1] == seen[8] == (255, 0), "the behaviour has changed"
assert seen[2] == seen[4] == (255, 255), "the behaviour has changed"
assert seen[16] == (0, 255), "the behaviour has changed"
END
