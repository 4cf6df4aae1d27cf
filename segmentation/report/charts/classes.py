"""The IoU of each class of an evaluation, and a table of all that is known of the classes."""

from segmentation.report.charts.chart import Chart, add_dots, figure, name_axis, percent_axis
from segmentation.report.evaluation import Evaluation, class_colors
from segmentation.report.table import Cell, Grid, interval, number, points
from segmentation.runs.scored_images import ScoredImages


def class_scores(evaluation: Evaluation, scored: ScoredImages) -> Chart:
    """Draw the IoU of each class with its interval."""
    iou = evaluation.metrics["iou"]
    names = [name for name in scored.classes if iou.get(name) is not None]
    values = [iou[name] for name in names]
    drawn = figure(
        60 + 30 * max(len(names), 1),
        yaxis=name_axis(names),
        xaxis=percent_axis("IoU", range=[-0.02, 1.02], dtick=0.25),
        showlegend=False,
    )
    # Dots, since the whiskers of a bar would need a colour that is visible on it and beside it
    add_dots(drawn, names, values, list(map(evaluation.class_ends, names)), range(len(names)))
    summary = "No class occurs."
    if names:
        order = sorted(zip(values, names, strict=True))
        (low, worst), (high, best) = order[0], order[-1]
        summary = (
            f"IoU of {len(names)} classes: highest {best} ({high:.1%}), lowest {worst} ({low:.1%})."
        )
    return Chart("classes", summary, {"IoU": drawn}, class_grid(evaluation, scored))


def class_grid(evaluation: Evaluation, scored: ScoredImages) -> Grid:
    """Make the table of all scores by class."""
    metrics, colors = evaluation.metrics, class_colors(scored)
    total = scored.confusion.sum(axis=0)
    share = total.sum(axis=1) / max(total.sum(), 1)
    predicted = total.sum(axis=0)
    heads = ["class", "IoU %", "95% interval", "accuracy %", "precision %", "share of pixels %"]
    more = [
        (part, head)
        for part, head in (
            ("boundary_iou", "boundary IoU %"),
            ("boundary_f", "boundary F %"),
            ("calibration", "ECE %"),
        )
        if metrics.get(part)
    ]
    rows = []
    for index, name in enumerate(scored.classes):
        precision = total[index, index] / predicted[index] if predicted[index] else None
        rows.append(
            [
                Cell(name, color=colors.get(name)),
                points(metrics["iou"].get(name)),
                interval(evaluation.class_ends(name)),
                points(metrics.get("accuracy", {}).get(name)),
                points(precision),
                number(100 * share[index], ".2f"),
                *(points(evaluation.of_class(part, name)) for part, _ in more),
            ]
        )
    return Grid("scores by class", [*heads, *(head for _, head in more)], rows)
