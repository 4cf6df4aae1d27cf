"""A plot of a page: figures by Plotly, what they say in words, and their numbers as a table.

Figures are drawn with the colours of `COLORS`. The page's script puts the page's own colours in
their place, so that plots follow light, dark and paper.
"""

import html
import json
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
"""Of Okabe and Ito's palette, as dark as white paper needs; each series has a mark besides."""
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
"""By the colour that a figure has, the page's own."""
LONGEST = 18
"""Characters of a name at an axis; the table beside the plot has all."""

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
    """A plot and all that stands for it where it cannot be seen.

    Attributes:
        key: its name in the page, of letters and hyphens.
        said: what it shows, in words.
        figures: by what a reader chooses; a single one needs no choice.
        grid: its numbers.
        choice: what is chosen.
        more: further tables of its numbers, by what they are called.
    """

    key: str
    said: str
    figures: Mapping[str, go.Figure]
    grid: Grid
    choice: str = "Show"
    more: Mapping[str, Grid] = field(default_factory=dict)

    @property
    def json(self) -> Markup:
        """The figures in order, as JSON that may stand in a page."""
        parts = (
            plotly.io.to_json(one, validate=False, engine="json") for one in self.figures.values()
        )
        return harmless(f"[{','.join(parts)}]")

    @property
    def height(self) -> int:
        """The room it needs, in pixels, so that nothing moves once it is drawn."""
        return max(int(one.layout.height) for one in self.figures.values())


def harmless(text: str) -> Markup:
    """Return JSON in which nothing can end the script element that holds it."""
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # nothing is left that HTML reads


def colors_json() -> Markup:
    """Return `COLORS` for the page's script."""
    return harmless(json.dumps(COLORS))


def label(name: str) -> str:
    """Return a name as Plotly shows it, which reads some HTML; shortened for an axis."""
    short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return plain(short)


def labels(names: Sequence[str]) -> list[str]:
    """Return names as an axis shows them: no two look alike, unless the names are alike.

    Names that differ only behind the cut keep their ends; where that is not enough, a number.
    """
    shown = [label(name) for name in names]
    taken = Counter(shown)
    ends = [
        plain(f"{name[: LONGEST // 2 - 1]}…{name[-LONGEST // 2 :]}") if taken[one] > 1 else one
        for name, one in zip(names, shown, strict=True)
    ]
    taken = Counter(ends)
    return [
        f"{number}. {shown[number - 1]}" if taken[one] > 1 else one
        for number, one in enumerate(ends, 1)
    ]


def style(number: int) -> tuple[str, str]:
    """Return the colour and the mark of one of several series: 64 of them look different."""
    round_ = number // len(SERIES)
    return SERIES[number % len(SERIES)], MARKS[(number + round_) % len(MARKS)]


def plain(text: str) -> str:
    """Return text of which Plotly reads nothing as HTML."""
    return html.escape(text, quote=False)


def figure(height: int, **layout: object) -> go.Figure:
    """Return an empty figure in the page's style.

    Args:
        height: in pixels; its width is that of the page.
        layout: what else its layout has.
    """
    return go.Figure(layout={"template": _TEMPLATE, "height": height, **layout})


def name_axis(names: Sequence[str]) -> dict[str, Any]:
    """Return a vertical axis with a name at each of 0, 1, 2 ..., the first at the top."""
    return {
        "tickvals": list(range(len(names))),
        "ticktext": labels(names),
        "range": [len(names) - 0.45, -0.55],
        "showgrid": False,
        "zeroline": False,
    }


def percent_axis(title: str, **more: object) -> dict[str, object]:
    """Return an axis of fractions, shown in per cent."""
    return {"title": {"text": title}, "tickformat": ".0%", **more}


def whiskers(values: Sequence[float], ends: Sequence[Sequence[float] | None]) -> dict[str, object]:
    """Return the error bars of intervals; nothing is drawn where there is none.

    Args:
        values: the scores.
        ends: (low, high) of each, or None.
    """
    pairs = [
        (None, None) if end is None else (max(0.0, end[1] - value), max(0.0, value - end[0]))
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
