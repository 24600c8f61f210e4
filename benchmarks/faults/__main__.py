"""Simulate faults that once made verdicts wrong, a to j in the design, and count how often they show.

    python -m benchmarks.faults [--short] [LETTER ...]

Prints a line for each simulation: the fault's letter, what was simulated, the figure seen, and its bound: α and two
standard errors, unless it may never show. Ends with exit code 1 if one is exceeded. Seeded; takes up to ten minutes,
or 15 seconds with --short.
"""

import argparse
import sys

from benchmarks.faults import FAULTS, check
from benchmarks.faults.rows import SHORT, WHOLE


def main() -> int:
    """Print a line a simulation; return the exit code."""
    parser = argparse.ArgumentParser(description="Simulate faults that once made verdicts wrong.")
    parser.add_argument(
        "letters", nargs="*", metavar="LETTER", help=f"only these of {', '.join(FAULTS)} (default: all)"
    )
    parser.add_argument("--short", action="store_true", help="few runs of each, in seconds")
    arguments = parser.parse_args()
    if unknown := set(arguments.letters) - FAULTS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    return 0 if check(SHORT if arguments.short else WHOLE, arguments.letters or FAULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
