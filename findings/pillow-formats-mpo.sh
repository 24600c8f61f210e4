#!/usr/bin/env bash
# Pillow 13.0.0: `Image.open(file, formats=["JPEG"])` returns an image of format MPO.
#
# `formats` restricts the decoders that are tried. But the one for JPEG looks into the file's index of images, and hands
# the file over to the decoder for MPO where that lists several. Phones write such an index. A check that compares
# `image.format` with "JPEG" then misses these files, and one that bounds work by format does not bound theirs.
# Seen: "MPO, which was not among the formats".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps pillow==13.0.0
"$folder/venv/bin/python" - <<'END'
from io import BytesIO

from PIL import Image

file = BytesIO()
Image.new("L", (8, 8)).save(file, "MPO", save_all=True, append_images=[Image.new("L", (8, 8))])
found = Image.open(file, formats=["JPEG"]).format
print(f"{found}, which was not among the formats" if found == "MPO" else found)
assert found == "MPO", "the behaviour has changed"
END
