"""Files that other users of the machine can read."""

import stat
from pathlib import Path

from testing.attack.attackers import Attackers
from testing.attack.gateways import folder_of, log_of
from testing.attack.seen import Seen
from testing.running_gateway import Gateway

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def attack(gateway: Gateway, attackers: Attackers, seconds: float) -> Seen:
    """Look at all that a started gateway has written."""
    del attackers, seconds
    seen, folder = Seen(), folder_of(gateway)
    ours = {folder / "manifest.json", log_of(folder)}
    written = [path for path in folder.rglob("*") if path.is_file() and path not in ours]
    seen.expect(any(path.suffix == ".db" for path in written), f"there is no database in {[*folder.iterdir()]}")
    return open_to_others(seen, written)


def open_to_others(seen: Seen, paths: list[Path]) -> Seen:
    """Note a fault for each file that others may use."""
    for path in paths:
        mode = stat.S_IMODE(path.stat().st_mode)
        seen.expect(not mode & OTHERS, f"{path.name} is {mode:04o}")
    seen.notes.append(f"{len(paths)} files")
    return seen
