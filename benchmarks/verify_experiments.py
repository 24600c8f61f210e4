"""Check by simulation that experiments are judged rightly.

    python -m benchmarks.verify_experiments [PART …]

Parts: `equal` and `different` arms (simulation.py), the label `queue` (queue_order.py), `units` of several images
(units.py), `plans` (plans.py), `late` labels (late_labels.py), the `faults` of earlier versions (faults.py, also as
`--faults`), and promoted variants that `drift` (drift.py); all of them unless some are named.
Ends with exit code 1 if a part fails.
"""

import argparse
import sys

from benchmarks import drift, faults, late_labels, plans, queue_order, simulation, units

PARTS = {
    "equal": simulation.equal,
    "different": simulation.different,
    "queue": queue_order.check,
    "units": units.check,
    "plans": plans.check,
    "late": late_labels.check,
    "faults": faults.check,
    "drift": drift.check,
}


def main() -> int:
    """Run the chosen parts; return the exit code."""
    parser = argparse.ArgumentParser(description="Check by simulation that experiments are judged rightly.")
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[[], *PARTS], help=f"of {', '.join(PARTS)}")
    parser.add_argument("--faults", action="store_true", help="the same as the part `faults`")
    arguments = parser.parse_args()
    chosen = arguments.parts or (["faults"] if arguments.faults else list(PARTS))
    passed = [PARTS[part]() for part in chosen]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
