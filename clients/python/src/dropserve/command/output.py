"""Tables, JSON and progress on a terminal."""

import json
import shutil
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
BAR = 30


def table(names: Sequence[str], rows: Iterable[Sequence[object]], widths: Sequence[int] | None = None) -> Iterator[str]:
    """Yield a head and a line a row, columns aligned.

    With `widths`, rows are not collected first: a line leaves as soon as its row is there.
    """
    texts: Iterable[list[str]] = ([cell(value) for value in row] for row in rows)
    if widths is None:
        known = list(texts)
        widths = [max(map(len, column)) for column in zip(names, *known, strict=True)]
        texts = known
    yield _line(names, widths)
    for row in texts:
        yield _line(row, widths)


def cell(value: object) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _line(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True)).rstrip()


def as_json(value: Any, indent: int | None = 1) -> str:
    """Return JSON, indented for readers, or as one line."""
    return json.dumps(value, indent=indent, ensure_ascii=False)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they come."""
    for line in lines:
        sys.stdout.write(f"{line}\n")


def with_progress(items: Iterable[T], total: int, what: str) -> Generator[T, None, None]:
    """Yield items, with a bar on standard error where that is a terminal, and what is printed goes elsewhere."""
    if not sys.stderr.isatty() or sys.stdout.isatty() or total < 2:
        yield from items
        return
    shown = -1
    try:
        for number, item in enumerate(items, start=1):
            if (step := number * 200 // total) != shown:
                shown = step
                print(f"\r{_bar(number, total, what)}", end="", file=sys.stderr, flush=True)
            yield item
    finally:
        print(f"\r{' ' * len(_bar(total, total, what))}\r", end="", file=sys.stderr, flush=True)


def _bar(number: int, total: int, what: str) -> str:
    full = number * BAR // total
    return f"{'█' * full}{'░' * (BAR - full)} {number:,} of {total:,} {what}"[: shutil.get_terminal_size().columns - 1]
