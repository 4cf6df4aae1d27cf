"""The plots of a comparison: mIoU, differences, classes, quality against cost."""

import math
from collections.abc import Sequence

from segmentation.evaluation.comparison.result import Comparison, Contender
from segmentation.report.charts.chart import (
    INK,
    LINE,
    PAPER,
    SERIES,
    Chart,
    figure,
    name_axis,
    percent_axis,
    plain,
    style,
    whiskers,
)
from segmentation.report.table import Grid, Row, interval, number, points


def miou_chart(comparison: Comparison, contenders: Sequence[Contender]) -> Chart:
    """Draw the mIoU of each contender with its interval, and of each of its seeds."""
    names = [entry.name for entry in comparison.entries]
    seeds = {one.name: [run.metrics["miou"] for run in one.evaluations] for one in contenders}
    values = [entry.miou.value for entry in comparison.entries]
    intervals = [entry.miou.interval.plain() for entry in comparison.entries]
    drawn = figure(
        110 + 44 * len(names), yaxis=name_axis(names), xaxis=percent_axis("mIoU"), showlegend=True
    )
    places = list(range(len(names)))
    drawn.add_scatter(
        x=values,
        y=places,
        mode="markers",
        name="mIoU, 95% interval",
        error_x=whiskers(values, intervals),
        marker={"size": 11, "color": SERIES[0], "line": {"color": INK, "width": 1}},
        customdata=[plain(name) for name in names],
        hovertemplate="%{customdata}: %{x:.1%}<extra></extra>",
    )
    several = [
        (place, name, one)
        for place, name in enumerate(names)
        if len(seeds[name]) > 1
        for one in seeds[name]
    ]
    drawn.add_scatter(
        x=[one for _, _, one in several],
        y=[place + 0.25 for place, _, _ in several],
        mode="markers",
        name="one seed",
        customdata=[plain(name) for _, name, _ in several],
        marker={"size": 8, "symbol": "diamond-open", "color": SERIES[1], "line": {"width": 2}},
        hovertemplate="%{customdata}, one seed: %{x:.1%}<extra></extra>",
    )
    best = comparison.entries[0]
    said = (
        f"mIoU of {len(names)} contenders with 95% intervals; highest {best.name} "
        f"({best.miou.value:.1%})."
    )
    rows: list[Row] = [
        [
            entry.name,
            points(entry.miou.value),
            interval(entry.miou.interval.plain()),
            ", ".join(f"{100 * one:.1f}" for one in seeds[entry.name]),
            points(entry.deviation),
        ]
        for entry in comparison.entries
    ]
    heads = ["contender", "mIoU %", "95% interval", "seeds", "standard deviation"]
    return Chart("miou", said, {"mIoU": drawn}, Grid("mIoU with intervals", heads, rows))


def difference_chart(comparison: Comparison) -> Chart | None:
    """Draw how far each contender lies from the best; None of a single one."""
    found = list(comparison.to_best.values())
    if not found:
        return None
    drawn = figure(
        110 + 40 * len(found),
        yaxis=name_axis([one.first for one in found]),
        xaxis=percent_axis(
            "difference of mIoU to the best", zeroline=True, zerolinecolor=INK, zerolinewidth=2
        ),
        showlegend=True,
    )
    kinds = (
        ("worse", True, SERIES[1], "square"),
        ("not distinguishable", False, SERIES[0], "circle-open"),
    )
    for name, told, color, mark in kinds:
        some = [(place, one) for place, one in enumerate(found) if one.distinguishable == told]
        if not some:
            continue
        values = [one.miou.value for _, one in some]
        drawn.add_scatter(
            x=values,
            y=[place for place, _ in some],
            mode="markers",
            name=name,
            error_x=whiskers(values, [one.miou.interval.plain() for _, one in some]),
            marker={
                "size": 11,
                "color": color,
                "symbol": mark,
                "line": {"width": 2, "color": color},
            },
            customdata=[plain(one.first) for _, one in some],
            hovertemplate="%{customdata}: %{x:.1%}<extra></extra>",
        )
    best = comparison.entries[0].name
    known = sum(one.distinguishable for one in found)
    said = (
        f"Differences to {best} with paired 95% intervals; {known} of {len(found)} can be told "
        "from it."
    )
    rows: list[Row] = [
        [
            one.first,
            points(one.miou.value),
            interval(one.miou.interval.plain()),
            number(one.p, ".2g"),
            number(one.p_holm, ".2g"),
            one.verdict,
        ]
        for one in found
    ]
    heads = ["contender", "difference", "95% interval", "p", "p corrected", "in words"]
    return Chart("differences", said, {"": drawn}, Grid(f"differences to {best}", heads, rows))


def class_chart(comparison: Comparison, grid: Grid) -> Chart:
    """Draw the IoU of each class and contender; who is best, or cannot be told from it, is filled.

    Args:
        comparison: the comparison.
        grid: its numbers by class.
    """
    classes = [name for name, winner in comparison.winners.items() if winner.best is not None]
    count = len(comparison.entries)
    step = 0.76 / max(count, 1)
    drawn = figure(
        130 + max(26, 11 * count) * len(classes),
        yaxis=name_axis(classes),
        xaxis=percent_axis("IoU"),
        showlegend=True,
    )
    for index, entry in enumerate(comparison.entries):
        held = [
            (place, name)
            for place, name in enumerate(classes)
            if not math.isnan(entry.classes[name].value)
        ]
        values = [entry.classes[name].value for _, name in held]
        marks = [_mark(comparison, entry.name, name) for _, name in held]
        color, shape = style(index)
        drawn.add_scatter(
            x=values,
            y=[place + step * (index - (count - 1) / 2) for place, _ in held],
            mode="markers",
            name=plain(entry.name),
            error_x=whiskers(values, [entry.classes[name].interval.plain() for _, name in held])
            | {"color": color, "width": 2},
            marker={
                "size": 8,
                "symbol": shape,
                "line": {"color": color, "width": 2},
                "color": [color if mark else PAPER for mark in marks],
            },
            customdata=[
                [plain(name), mark or "below the best"]
                for (_, name), mark in zip(held, marks, strict=True)
            ],
            hovertemplate="%{customdata[0]}: %{x:.1%}, %{customdata[1]}",
        )
    for edge in range(1, len(classes)):
        drawn.add_hline(y=edge - 0.5, line={"color": LINE, "width": 1})
    said = (
        f"IoU of {len(classes)} classes for {count} contenders with 95% intervals. Filled marks "
        "are the best of their class, and those that cannot be told from it."
    )
    return Chart("classes", said, {"IoU": drawn}, grid)


def _mark(comparison: Comparison, entry: str, name: str) -> str:
    """Return what an entry is in a class: the best, like it, or nothing of that."""
    winner = comparison.winners[name]
    if winner.best == entry:
        return "the best"
    return "not distinguishable from the best" if entry in winner.rivals else ""
