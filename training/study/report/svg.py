"""Write figures as inline SVG whose ink is the page's, so that they suit light and dark alike."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK = "#010203"  # stands for the page's colour of text until the figure is written
COLOURS = ("#3b82c4", "#d9772b", "#2f9e6e", "#c2528b", "#8b6fc9", "#a08a2b", "#4f9aa8", "#b5533c")
STYLE: Any = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10, "axes.titlesize": 10,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.2, "grid.color": INK,
    "axes.axisbelow": True, "legend.frameon": False, "axes.prop_cycle": cycler(color=COLOURS),
}  # fmt: skip
WIDTH = 7.0  # inches


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style."""
    with matplotlib.rc_context(STYLE):
        yield


def figure(columns: int = 1, height: float = 3.4, **arguments: Any) -> tuple[Figure, Any]:
    """Return a figure, `height` inches high, and its axes side by side."""
    drawing = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasSVG(drawing)
    return drawing, drawing.subplots(1, columns, **arguments)


def text(drawing: Figure, name: str) -> str:
    """Return a figure as an `<svg>` element; `name` keeps its identifiers apart from other figures' on a page."""
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        drawing.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    return svg.replace(INK, "currentColor")
