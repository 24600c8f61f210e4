"""Plan an experiment: images, labels and days to a decision, by simulating the test that judges it.

    python -m serving.gateway.commands.plan --control-error 0.01 --variant-error 0.007 --disagreement 0.009

Takes each field of `POST /experiments/plan` as an option. `--pilot` reads the database of GATEWAY_DATABASE_URL.
"""

import argparse
import os
import sys
from contextlib import closing
from typing import Any

from pydantic import ValidationError

from serving.gateway.errors import GatewayError
from serving.gateway.experiments.planning.plan import plan
from serving.gateway.experiments.planning.planner import Planner
from serving.gateway.experiments.planning.rates import rates_of
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.settings import Settings, SettingsError
from serving.gateway.store.engine import UnusableDatabase
from serving.gateway.store.store import Store


def main() -> int:
    """Plan and print; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.gateway.commands.plan", description=__doc__.splitlines()[0]
    )
    for name, field in PlanSpec.model_fields.items():
        flag = "--" + name.replace("_", "-")
        told = (field.description or f"As in an experiment; {field.default} if not given").replace("%", "%%")
        action: Any = argparse.BooleanOptionalAction if name == "paired" else "store"
        parser.add_argument(flag, action=action, help=told, default=argparse.SUPPRESS)
    try:
        print("\n".join(in_words(_plan(PlanSpec(**vars(parser.parse_args()))))))
    except ValidationError as error:
        for found in error.errors(include_url=False):
            name = "--" + str(found["loc"][0]).replace("_", "-")
            print(f"plan: {name} {found['input']} cannot be used: {found['msg']}", file=sys.stderr)
        return 2
    except (SettingsError, UnusableDatabase, GatewayError) as error:
        print(f"plan: {error}", file=sys.stderr)
        return 1
    return 0


def _plan(spec: PlanSpec) -> dict[str, Any]:
    if spec.pilot is None:
        return plan(spec, rates_of(spec))
    with closing(Store(Settings.from_environ(os.environ).database_url)) as store:
        return Planner(store).plan(spec)


def in_words(found: dict[str, Any]) -> list[str]:
    """Return a plan as lines of text."""
    shares = ", ".join(f"{name} {share:.1%}" for name, share in found["verdicts"].items() if share)
    lines = [f"{found['design']}, {found['runs']:,} simulated experiments: {shares}"]
    for name in ("images", "labels", "days"):
        median, most = (_figure(found[name][key], found, name) for key in ("median", "p80"))
        low, high = (_figure(found[name][key], found, name) for key in ("median_low", "median_high"))
        exact = f" ({low} to {high})" if found[name]["median_high"] is not None else ""
        lines.append(f"{name} to a decision: median {median}{exact}, 80 % within {most}")
    smallest = found["smallest_difference"]
    power = f"{found['power']:.0%} power by {found['max_labels']:,} labels"
    lines.append(f"smallest difference found with {power}: {f'{smallest:.3%}' if smallest else 'none'}")
    return lines


def _figure(value: float | None, found: dict[str, Any], name: str) -> str:
    if value is not None:
        return f"{value:,.1f}" if name == "days" else f"{value:,.0f}"
    return "unknown without --images-per-day" if name == "days" and not found["images_per_day"] else "more than allowed"


if __name__ == "__main__":
    sys.exit(main())
