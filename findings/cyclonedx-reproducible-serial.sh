#!/usr/bin/env bash
# cyclonedx-bom 7.5.0: a bill of materials written with --output-reproducible has no serial number.
#
# The option leaves out the time, as one expects, and `serialNumber`, too. The schema allows that. But GitHub's
# actions/attest-sbom takes a CycloneDX file only with bomFormat, specVersion and serialNumber, so a release that is
# built reproducibly stops there. A number of one's own, such as a version 5 UUID of the file's content, serves both.
# Seen: without the option both members are there, and two files differ; with it they are alike, and neither is there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: cyclonedx-bom==7.5.0 cyclonedx-python-lib==11.12.0
echo 'requests==2.34.2' > "$folder/requirements.txt"
for file in plain again; do
  "$folder/venv/bin/cyclonedx-py" requirements --output-file "$folder/$file.json" "$folder/requirements.txt"
  "$folder/venv/bin/cyclonedx-py" requirements --output-reproducible --output-file "$folder/reproducible-$file.json" "$folder/requirements.txt"
done
"$folder/venv/bin/python" - "$folder" <<'END'
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
texts = {name: (folder / f"{name}.json").read_text() for name in ("plain", "again", "reproducible-plain", "reproducible-again")}
plain, reproducible = (json.loads(texts[name]) for name in ("plain", "reproducible-plain"))
found = {
    "serial numbers": ("serialNumber" in plain, "serialNumber" in reproducible),
    "times": ("timestamp" in plain["metadata"], "timestamp" in reproducible["metadata"]),
    "alike": (texts["plain"] == texts["again"], texts["reproducible-plain"] == texts["reproducible-again"]),
}
print("without and with --output-reproducible:", found)
assert found == {"serial numbers": (True, False), "times": (True, False), "alike": (False, True)}, "the behaviour has changed"
END
