"""Read the command line, run one command, return an exit code."""

import argparse
import io
import os
import re
import subprocess
import sys
from collections.abc import Sequence

from dropserve.client import Client
from dropserve.command import ask, manage
from dropserve.command.completion import script
from dropserve.command.table import COMMANDS, Command
from dropserve.errors import DropserveError, Unreachable

REFUSED, WRONG_COMMAND, UNREACHABLE, INTERRUPTED = 1, 2, 3, 130
RUN = {
    "predict": ask.predict, "compare": ask.compare, "variants": ask.variants, "label": manage.label,
    "experiments": manage.experiments, "improve": manage.improve,
}  # fmt: skip
DASHED_ID = re.compile(r"-[A-Za-z0-9_-]{39,}")  # longer than any option
CLOSED_PIPE = 141  # as a shell reports a program that SIGPIPE ended


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that `words` name, by default those of the command line; return the exit code."""
    arguments = parser().parse_args(_dashed_id_last(sys.argv[1:] if words is None else words))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file's name may have characters that it cannot write
            stream.reconfigure(errors="backslashreplace")
    if arguments.command == "completion":
        print(script(arguments.shell), end="")
        return 0
    try:
        with Client(arguments.url, timeout=arguments.timeout) as client:
            code = RUN[arguments.command](client, arguments)
        sys.stdout.flush()
        return code
    except Unreachable as error:
        return _failed(error, UNREACHABLE)
    except subprocess.CalledProcessError as error:  # of `make improve`, which has said why
        return error.returncode
    except (DropserveError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
            return CLOSED_PIPE
        return _failed(error, REFUSED)
    except ValueError as error:
        return _failed(error, WRONG_COMMAND)
    except KeyboardInterrupt:
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Return the parser of the table of commands."""
    made = argparse.ArgumentParser(
        prog="dropserve", description="Ask a dropserve gateway, label its answers, run its experiments.",
        epilog="DROPSERVE_URL names the gateway, DROPSERVE_API_KEY holds a key or the administrators' token.",
    )  # fmt: skip
    _add(made, COMMANDS, "command")
    return made


def _dashed_id_last(words: Sequence[str]) -> Sequence[str]:
    """Put a prediction's id that begins with a dash, as one in 64 does, and its label behind `--`."""
    at = next((number for number, word in enumerate(words) if DASHED_ID.fullmatch(word)), None)
    if at is None or words[0] != "label":
        return words
    return [*words[:at], *words[at + 2 :], "--", *words[at : at + 2]]


def _add(parser: argparse.ArgumentParser, commands: Sequence[Command], name: str) -> None:
    group = parser.add_subparsers(dest=name, required=True, metavar="COMMAND")
    for command in commands:
        inner = group.add_parser(command.name, help=command.help, description=command.help)
        for option in command.options:
            inner.add_argument(option.name, help=option.help, **option.settings)
        if command.commands:
            _add(inner, command.commands, "action")


def _failed(error: Exception, code: int) -> int:
    print(f"dropserve: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
