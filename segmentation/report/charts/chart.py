"""A plot of a page: figures by Plotly, a summary in words, and the numbers as a table.

Figures use the colours of `COLORS`. The page's script replaces them by the page's own colours, so
that plots follow light mode, dark mode and paper.
"""

import html
import json
import math
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
import plotly.io
from markupsafe import Markup

from segmentation.report.table import Grid

SERIES = (
    "#0072b2",
    "#d55e00",
    "#00805d",
    "#a8558a",
    "#7a6500",
    "#2a7fb8",
    "#5b5bd6",
    "#8a5a44",
)
"""After Okabe and Ito's palette, dark enough for white paper; each series also has its own mark."""
MARKS = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "cross",
    "x",
    "triangle-down",
    "star",
)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
INK, FAINT, LINE, PAPER = "#1d2327", "#586069", "#d5dade", "#ffffff"
COLORS = {
    **{color: f"--plot-{number}" for number, color in enumerate(SERIES, 1)},
    INK: "--ink",
    FAINT: "--faint",
    LINE: "--line",
    PAPER: "--paper",
}
"""Colour in a figure -> the CSS variable of the page that replaces it."""
LABEL_LENGTH = 18
"""Characters of a name on an axis; the table below the plot has the whole name."""
LINE_LENGTH = 22
"""Characters of a line of a name that is shown whole."""
LINE_HEIGHT = 17
DOT = {"size": 11, "color": SERIES[0], "line": {"color": INK, "width": 1}}

_AXIS = {
    "gridcolor": LINE,
    "linecolor": FAINT,
    "zerolinecolor": FAINT,
    "automargin": True,
    "tickcolor": FAINT,
    "title": {"standoff": 12},
}
_TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(SERIES),
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": FAINT, "font": {"color": INK}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "margin": {"l": 8, "r": 24, "t": 12, "b": 8},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
)


@dataclass(frozen=True)
class Chart:
    """A plot, with a summary and tables for those who can't see it.

    Attributes:
        key: its id in the page, of letters and hyphens.
        summary: of the plot, in words.
        figures: by the name that a reader chooses; a single one needs no choice.
        grid: its numbers.
        choice: label of the choice between figures.
        more: further tables of its numbers, by title.
    """

    key: str
    summary: str
    figures: Mapping[str, go.Figure]
    grid: Grid
    choice: str = "Show"
    more: Mapping[str, Grid] = field(default_factory=dict)

    @property
    def json(self) -> Markup:
        """The figures in order, as JSON that is safe inside a page."""
        parts = (
            plotly.io.to_json(drawn, validate=False, engine="json")
            for drawn in self.figures.values()
        )
        return harmless(f"[{','.join(parts)}]")

    @property
    def height(self) -> int:
        """Its height in pixels, reserved so that nothing moves once it is drawn."""
        return max(int(drawn.layout.height) for drawn in self.figures.values())


def harmless(text: str) -> Markup:
    """Escape JSON so that nothing in it can end the script element around it."""
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # no character of HTML is left


def colors_json() -> Markup:
    """Return `COLORS` for the page's script."""
    return harmless(json.dumps(COLORS))


def label(name: str) -> str:
    """Shorten a name for an axis, and escape it: Plotly reads a subset of HTML."""
    short = name if len(name) <= LABEL_LENGTH else f"{name[: LABEL_LENGTH - 1]}…"
    return plain(short)


def labels(names: Sequence[str]) -> list[str]:
    """Shorten names for an axis, so that different names stay different.

    Names that would be cut to the same text keep their ends; where that is not enough they are
    numbered.
    """
    shortened = [label(name) for name in names]
    count = Counter(shortened)
    with_ends = [
        plain(f"{name[: LABEL_LENGTH // 2 - 1]}…{name[-LABEL_LENGTH // 2 :]}")
        if count[short] > 1
        else short
        for name, short in zip(names, shortened, strict=True)
    ]
    count = Counter(with_ends)
    return [
        f"{number}. {shortened[number - 1]}" if count[text] > 1 else text
        for number, text in enumerate(with_ends, 1)
    ]


def wrapped(name: str) -> str:
    """Break a name into lines of at most `LINE_LENGTH` characters, and escape it."""
    return "<br>".join(map(plain, _lines(name)))


def wrapped_height(names: Sequence[str], least: int) -> int:
    """Return the height in pixels of the row of the longest wrapped name, at least `least`."""
    return max(least, *(LINE_HEIGHT * len(_lines(name)) + 8 for name in names))


def _lines(name: str) -> list[str]:
    # Long words begin on a line of their own
    lines = textwrap.wrap(name, LINE_LENGTH, break_long_words=False) or [name]
    return [part for line in lines for part in textwrap.wrap(line, LINE_LENGTH) or [line]]


def style(number: int) -> tuple[str, str]:
    """Return the colour and the mark of the n-th series; the first 64 all look different."""
    round_ = number // len(SERIES)
    return SERIES[number % len(SERIES)], MARKS[(number + round_) % len(MARKS)]


def plain(text: str) -> str:
    """Escape text, because Plotly reads a subset of HTML."""
    return html.escape(text, quote=False)


def figure(height: int, **layout: object) -> go.Figure:
    """Make an empty figure in the page's style, as wide as the page and `height` pixels high."""
    return go.Figure(layout={"template": _TEMPLATE, "height": height, **layout})


def name_axis(names: Sequence[str], whole: bool = False) -> dict[str, Any]:
    """Make a vertical axis with names at 0, 1, 2 ..., the first at the top.

    Args:
        names: from the top.
        whole: break long names into lines, for rows of `wrapped_height`; else shorten them.
    """
    return {
        "tickvals": list(range(len(names))),
        "ticktext": list(map(wrapped, names)) if whole else labels(names),
        "range": [len(names) - 0.45, -0.55],
        "showgrid": False,
        "zeroline": False,
    }


def percent_axis(title: str, **more: object) -> dict[str, object]:
    """Make an axis of fractions, labelled in per cent with the decimals that its ticks need."""
    return {"title": {"text": title}, "tickformat": ".4~%", **more}


def whiskers(values: Sequence[float], ends: Sequence[Sequence[float] | None]) -> dict[str, object]:
    """Make error bars of intervals.

    Args:
        values: the scores.
        ends: (low, high) of each; None or NaN draws nothing.
    """
    pairs = [
        (max(0.0, end[1] - value), max(0.0, value - end[0]))
        if end is not None and all(map(math.isfinite, end))
        else (None, None)
        for value, end in zip(values, ends, strict=True)
    ]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high for high, _ in pairs],
        "arrayminus": [low for _, low in pairs],
        "color": INK,
        "thickness": 1.5,
        "width": 4,
    }


def add_dots(
    drawn: go.Figure,
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[Sequence[float] | None] | None,
    places: Sequence[float],
    **options: object,
) -> None:
    """Draw scores as dots with their intervals beside the names of `name_axis`.

    Args:
        drawn: the figure.
        names: shown when pointed at.
        values: the scores.
        intervals: (low, high) of each, or None; None if there are none at all.
        places: of the dots along the axis of names.
        options: further properties of Plotly's scatter trace, or other ones.
    """
    dots = {
        "x": list(values),
        "y": list(places),
        "mode": "markers",
        "marker": DOT,
        "error_x": None if intervals is None else whiskers(values, intervals),
        "customdata": [plain(name) for name in names],
        "hovertemplate": "%{customdata}: %{x:.1%}<extra></extra>",
    }
    drawn.add_scatter(**(dots | options))
