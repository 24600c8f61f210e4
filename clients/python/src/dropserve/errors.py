"""Errors that calls raise; their text is the gateway's own sentence, where it sent one."""

from collections.abc import Mapping
from typing import Any


class DropserveError(Exception):
    """Any error of a call."""


class Unreachable(DropserveError):
    """No gateway answered: a wrong address, a refused connection, a timeout."""


class Answered(DropserveError):
    """The gateway answered with an error: its HTTP `status`, and `faults` with a JSON pointer each."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(problem.get("detail") or problem.get("title") or f"HTTP status {status}")
        self.status = status
        self.faults: list[dict[str, str]] = problem.get("errors") or []


class Refused(Answered):
    """The gateway refused the request: a status of 400 to 499."""


class Failed(Answered):
    """The gateway could not answer the request: a status of 500 or more."""
