import hashlib
import re

from testing.machine import ROOT

VENDOR = ROOT / "serving" / "gateway" / "static" / "vendor"


def test_files_from_elsewhere_are_as_they_were_published() -> None:
    listed = dict(re.findall(r"^\| `(.+?)` \| `([0-9a-f]{64})` \|", (VENDOR / "VENDOR.md").read_text(), re.M))
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "VENDOR.md"
    }
    assert found == listed
