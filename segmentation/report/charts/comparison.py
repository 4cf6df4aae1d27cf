"""The plots of a comparison: mIoU, differences to the best, IoU by class.

Each takes the table of its numbers.
"""

import math
from collections.abc import Sequence

from segmentation.evaluation.comparison.result import Comparison, Contender
from segmentation.report.charts.chart import (
    DOT,
    INK,
    LINE,
    PAPER,
    SERIES,
    Chart,
    add_dots,
    figure,
    name_axis,
    percent_axis,
    plain,
    style,
    whiskers,
    wrapped,
    wrapped_height,
)
from segmentation.report.table import Grid

SEED = {"size": 8, "symbol": "diamond-open", "color": SERIES[1], "line": {"width": 2}}
SEED_OFFSET = 0.25
CLASS_SHARE = 0.76
"""Part of the room of a class that the dots of all contenders take."""


def miou_chart(comparison: Comparison, contenders: Sequence[Contender], grid: Grid) -> Chart:
    """Draw the mIoU of each contender with its interval, and the mIoU of each of its seeds."""
    entries, best = comparison.entries, comparison.entries[0]
    names = [entry.name for entry in entries]
    seeds = {
        contender.name: [scored.metrics["miou"] for scored in contender.evaluations]
        for contender in contenders
    }

    # Dots for the means, diamonds for the seeds of contenders that have several
    drawn = figure(
        110 + wrapped_height(names, 44) * len(names),
        yaxis=name_axis(names, whole=True),
        xaxis=percent_axis("mIoU"),
        showlegend=True,
    )
    values = [entry.miou.value for entry in entries]
    ends = [entry.miou.interval.plain() for entry in entries]
    add_dots(drawn, names, values, ends, range(len(names)), name="mIoU, 95% interval")
    several = [
        (name, miou, place + SEED_OFFSET)
        for place, name in enumerate(names)
        for miou in seeds[name]
        if len(seeds[name]) > 1
    ]
    add_dots(
        drawn,
        [name for name, _, _ in several],
        [miou for _, miou, _ in several],
        None,
        [place for _, _, place in several],
        name="one seed",
        marker=SEED,
        hovertemplate="%{customdata}, one seed: %{x:.1%}<extra></extra>",
    )

    summary = (
        f"mIoU of {len(names)} contenders with 95% intervals; highest {best.name} "
        f"({best.miou.value:.1%})."
        if len(names) > 1
        else f"mIoU of {best.name} with its 95% interval: {best.miou.value:.1%}."
    )
    return Chart("miou", summary, {"mIoU": drawn}, grid)


def difference_chart(comparison: Comparison, grid: Grid) -> Chart | None:
    """Draw how far each contender is from the best; None for a single contender."""
    differences = list(comparison.to_best.values())
    if not differences:
        return None
    names = [difference.first for difference in differences]
    drawn = figure(
        110 + wrapped_height(names, 40) * len(names),
        yaxis=name_axis(names, whole=True),
        xaxis=percent_axis(
            "difference of mIoU to the best", zeroline=True, zerolinecolor=INK, zerolinewidth=2
        ),
        showlegend=True,
    )

    # Verdicts differ in colour and in mark
    kinds = (
        ("worse recipe", True, "recipes", SERIES[1], "square"),
        ("worse model", True, "models", SERIES[3], "diamond"),
        ("not distinguishable", False, None, SERIES[0], "circle-open"),
    )
    for name, distinguishable, compares, color, mark in kinds:
        places = [
            place
            for place, difference in enumerate(differences)
            if difference.distinguishable == distinguishable
            and compares in (None, difference.compares)
        ]
        if places:
            add_dots(
                drawn,
                [differences[place].first for place in places],
                [differences[place].miou.value for place in places],
                [differences[place].miou.interval.plain() for place in places],
                places,
                name=name,
                marker=DOT | {"color": color, "symbol": mark, "line": {"width": 2, "color": color}},
            )

    best = comparison.entries[0].name
    worse = sum(difference.distinguishable for difference in differences)
    summary = (
        f"Differences to {best} with paired 95% intervals; {worse} of {len(differences)} can be "
        "told from it."
    )
    return Chart("differences", summary, {"": drawn}, grid)


def class_chart(comparison: Comparison, grid: Grid, marked: bool) -> Chart:
    """Draw the IoU of each class and contender; filled if not told from the best of the class.

    All marks are filled where the best is not `marked`, and those of a single contender.
    """
    classes = [name for name, winner in comparison.winners.items() if winner.best is not None]
    count = len(comparison.entries)
    several = count > 1 and marked
    step = CLASS_SHARE / max(count, 1)
    drawn = figure(
        130 + max(26, 11 * count) * len(classes),
        yaxis=name_axis(classes),
        xaxis=percent_axis("IoU"),
        showlegend=True,
    )

    # The dots of a class lie below each other, in the order of the contenders
    for index, entry in enumerate(comparison.entries):
        scored = [name for name in classes if not math.isnan(entry.classes[name].value)]
        values = [entry.classes[name].value for name in scored]
        ends = [entry.classes[name].interval.plain() for name in scored]
        ranks = [_rank(comparison, entry.name, name) for name in scored]
        color, shape = style(index)
        offset = step * (index - (count - 1) / 2)
        add_dots(
            drawn,
            scored,
            values,
            ends,
            [classes.index(name) + offset for name in scored],
            name=wrapped(entry.name),
            error_x=whiskers(values, ends) | {"color": color, "width": 2},
            marker={
                "size": 8,
                "symbol": shape,
                "line": {"color": color, "width": 2},
                "color": [color if rank or not several else PAPER for rank in ranks],
            },
            customdata=[
                [plain(name), rank or "below the best"]
                for name, rank in zip(scored, ranks, strict=True)
            ],
            hovertemplate="%{customdata[0]}: %{x:.1%}" + (", %{customdata[1]}" if several else ""),
        )
    for edge in range(1, len(classes)):
        drawn.add_hline(y=edge - 0.5, line={"color": LINE, "width": 1})
    whose = f" for {count} contenders" if count > 1 else ""
    summary = f"IoU of {len(classes)} classes{whose} with 95% intervals."
    if several:
        summary += (
            " Filled marks are the best of their class, and those that cannot be told from it."
        )
    return Chart("classes", summary, {"IoU": drawn}, grid)


def _rank(comparison: Comparison, entry: str, name: str) -> str:
    """Describe whether an entry is the best in a class or can't be told from it; else ""."""
    winner = comparison.winners[name]
    if winner.best == entry:
        return "the best"
    return "not distinguishable from the best" if entry in winner.rivals else ""
