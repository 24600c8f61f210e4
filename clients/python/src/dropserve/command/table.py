"""The table of commands and options, from which the parser and the shells' completions are made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dropserve.folders import BATCH, CONNECTIONS

FILES = ("IMAGE", "FILE", "FOLDER")  # names of values that a shell completes as files


@dataclass(frozen=True)
class Option:
    """An option, or an argument where `name` has no dash; `settings` are those of argparse's `add_argument`."""

    name: str
    help: str
    settings: dict[str, Any]

    @property
    def is_switch(self) -> bool:
        """Say whether it takes no value."""
        return self.settings.get("action") == "store_true"

    @property
    def takes_file(self) -> bool:
        """Say whether its value is a file or a folder."""
        return self.settings.get("metavar") in FILES

    @property
    def choices(self) -> Sequence[str]:
        """Return the values that it takes, none where it takes any."""
        found: Sequence[str] = self.settings.get("choices", ())
        return found


@dataclass(frozen=True)
class Command:
    """A command with options, or with commands of its own."""

    name: str
    help: str
    options: tuple[Option, ...] = ()
    commands: tuple["Command", ...] = ()


def option(name: str, help: str, **settings: Any) -> Option:
    """Return an option, or an argument."""
    return Option(name, help, settings)


def switch(name: str, help: str) -> Option:
    """Return an option without a value."""
    return Option(name, help, {"action": "store_true"})


def positive(text: str) -> int:
    """Read a whole number above 0."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def listed(read: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Return a reader of values between commas."""

    def listed_values(text: str) -> list[Any]:
        return [read(part) for part in text.split(",")]

    return listed_values


def arm(text: str) -> dict[str, Any]:
    """Read an arm, VARIANT=WEIGHT."""
    variant, weight = text.split("=")
    return {"variant": variant, "weight": float(weight)}


COMMON = (
    option("--url", "the gateway's address (default: DROPSERVE_URL, else http://127.0.0.1:8080)"),
    option("--timeout", "of one attempt (default: 30)", type=float, default=30.0, metavar="SECONDS"),
    switch("--json", "print JSON: one line an image or label, or the gateway's whole answer"),
)
IMAGES = option(
    "paths", "images, or folders of them; - reads one from standard input", nargs="+", type=Path, metavar="IMAGE"
)
SPLIT = switch("--split", "answer for each digit of a picture")
NAME = option("name", "the experiment's name")
REASON = option("--reason", "for the experiment's log")
SHELLS = ("bash", "zsh", "fish")

COMMANDS = (
    Command("predict", "answer images by one variant", (
        IMAGES,
        option("--variant", "the variant to ask (default: the experiment's arm, else the default variant)"),
        option("--experiment", "the experiment that picks the variant"),
        option("--unit", "the unit: an experiment answers one unit from one arm"),
        switch("--uncertainty", "measure the model's doubt, where the variant has dropout"),
        SPLIT,
        option("--batch", f"images a request, which are one unit (default: {BATCH})", type=positive, default=BATCH),
        option("--connections", f"requests at a time (default: {CONNECTIONS})", type=positive, default=CONNECTIONS),
        *COMMON,
    )),
    Command("compare", "ask every variant about the same images", (
        IMAGES,
        option("--variants", "names between commas (default: all)", type=listed(str), default=[]),
        SPLIT,
        *COMMON,
    )),
    Command("label", "store the label of a prediction, or of many", (
        option("prediction", "the id of the prediction, from `predict`", nargs="?"),
        option("label", "a class, or `unreadable`", nargs="?"),
        option("--file", "a CSV file of ids and labels, without a head; - reads standard input", metavar="FILE"),
        option("--source", "of the label (default: user)", choices=("user", "audit", "ground_truth"), default="user"),
        *COMMON,
    )),
    Command("variants", "list the variants and their state", COMMON),
    Command("experiments", "make, move and read experiments", commands=(
        Command("list", "list experiments", COMMON),
        Command("show", "show an experiment", (NAME, *COMMON)),
        Command("report", "print evidence and recommendation", (NAME, *COMMON)),
        Command("create", "make an experiment, as a draft", (
            NAME,
            option("--control", "the arm to compare the others with", required=True),
            option("--arms", "VARIANT=WEIGHT between commas", type=listed(arm), required=True),
            switch("--paired", "also ask the other arms about each image"),
            option("--hypothesis", "a sentence"),
            option("--max-labels", "labels after which it is inconclusive", type=positive),
            option("--spec", "a JSON file of further fields; - reads standard input", metavar="FILE"),
            *COMMON,
        )),
        *(Command(name, f"{name} an experiment", (NAME, REASON, *COMMON))
          for name in ("start", "pause", "resume", "stop", "archive")),
    )),
    Command("improve", "show the labels that a candidate could learn from, and train one", (
        option("--run", "run `make improve` in this clone of dropserve, beside its gateway", type=Path,
               metavar="FOLDER"),
        *COMMON,
    )),
    Command("completion", "print a shell's completion script", (option("shell", "the shell", choices=SHELLS),)),
)  # fmt: skip
