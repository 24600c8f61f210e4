"""Pin the images that Docker builds on and runs: fetch each, and write its digest into a file of settings.

python requirements/pin_images.py FILE
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

COMPOSE = Path(__file__).parent.parent / "docker-compose.yml"
IMAGE = re.compile(r"\$\{(DROPSERVE_\w+_IMAGE):-([^}]+)\}")


def main() -> int:
    """Write a line for each image that docker-compose.yml names by a variable; return the exit code."""
    if len(sys.argv) != 2:
        print(f"usage: python {sys.argv[0]} FILE", file=sys.stderr)
        return 2
    pinned, failed = dict[str, str](), 0
    for variable, image in sorted(set(IMAGE.findall(COMPOSE.read_text()))):
        try:
            pinned[variable] = f"{image}@{digest(image)}"
        except FileNotFoundError:
            print("pin_images: there is no program docker here; install it first", file=sys.stderr)
            return 1
        except subprocess.CalledProcessError:  # Docker has said why; TF Serving has no image for arm64
            print(f"pin_images: {image} cannot be fetched; {variable} stays as it is", file=sys.stderr)
            failed = 1
    write(Path(sys.argv[1]), pinned)
    print(*(f"{variable}={image}" for variable, image in pinned.items()), sep="\n")
    return failed


def write(file: Path, settings: Mapping[str, str]) -> None:
    """Set `settings` in a file, which may hold passwords: it is replaced as a whole, and its owner's alone."""
    lines = file.read_text().splitlines() if file.exists() else []
    kept = [line for line in lines if line.partition("=")[0] not in settings]
    lines = [*kept, *(f"{name}={value}" for name, value in settings.items())]
    part = file.with_name(f"{file.name}.part")
    part.touch(mode=0o600)
    if file.exists():
        os.chown(part, file.stat().st_uid, file.stat().st_gid)  # under sudo it stays its owner's
    part.write_text("\n".join(lines) + "\n")
    part.replace(file.resolve())


def digest(image: str) -> str:
    """Fetch an image; return the digest by which its registry knows it. Raise CalledProcessError."""
    subprocess.run(["docker", "pull", "--quiet", image], check=True, stdout=subprocess.DEVNULL)
    command = ["docker", "image", "inspect", "--format", "{{index .RepoDigests 0}}", image]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip().partition("@")[2]


if __name__ == "__main__":
    sys.exit(main())
