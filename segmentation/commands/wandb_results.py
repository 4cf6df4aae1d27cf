"""Log an evaluation to W&B: its scores as summary values, its tables, charts and pictures."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from segmentation.loggers.wandb_logger import WandbLogger
from segmentation.loggers.wandb_tables import (
    class_table,
    confusion_plot,
    masked_image,
    target_table,
)
from segmentation.metrics.calibration import calibration
from segmentation.pictures import Example
from segmentation.report.evaluation import image_scores
from segmentation.report.pictures import extremes, worst_first
from segmentation.runs.directory import REPORT, read_metrics
from segmentation.runs.per_image_file import read_scored
from segmentation.runs.scored_images import ScoredImages
from segmentation.runs.views import labels_of, read_views

if TYPE_CHECKING:
    import wandb

MOST_REPORT = 20 * 2**20
"""Bytes of the largest report that is uploaded."""

PANEL = 4
"""Number of the worst images that are shown, and of the best."""

SCORES = (
    "miou",
    "pixel_accuracy",
    "mean_accuracy",
    "dice",
    "frequency_weighted_iou",
    "images",
)
"""Scores in metrics.json that become columns of the table of runs."""


def log_evaluation(
    logger: WandbLogger, directory: Path, prefix: str, step: int | None = None
) -> None:
    """Log an evaluation; a failure is a warning (see `FaultTolerant`).

    Args:
        logger: of the run that was scored.
        directory: of the evaluation.
        prefix: of the names: ``<prefix>/miou`` and so on.
        step: of the training, for its charts; None: the last one logged.
    """
    axis = {} if step is None else {"trainer/global_step": step}
    with logger.errors_as_warnings():
        metrics = read_metrics(directory) or {}
        logger.check_server()
        run = logger.experiment
        for part in content(directory, metrics, logger.pictures):
            run.log({f"{prefix}/{key}": value for key, value in part.items()} | axis)
        # Last, because logging replaces the summary.
        run.summary.update({f"{prefix}/{key}": score for key, score in summary(metrics).items()})


def summary(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the known scores that a table of runs is sorted and filtered by.

    Args:
        metrics: the content of metrics.json.
    """
    scores = {key: metrics.get(key) for key in SCORES}
    for key in ("boundary_iou", "boundary_f"):
        scores[key] = metrics.get(key, {}).get("mean")
    scores["ece"] = metrics.get("calibration", {}).get("ece")
    ends = (metrics.get("intervals") or {}).get("miou") or (None, None)
    scores |= {"miou_low": ends[0], "miou_high": ends[1]}
    targets = metrics.get("targets", {})
    scores |= {key: targets.get("category", {}).get(key) for key in ("accuracy", "macro_f1")}
    scores["ccc"] = targets.get("ccc")
    return {key: value for key, value in scores.items() if value is not None}


def content(
    directory: Path, metrics: Mapping[str, Any], pictures: bool = True
) -> Iterator[dict[str, Any]]:
    """Yield tables, charts and pictures by name, one at a time so that a failure loses no others.

    Args:
        directory: of the evaluation.
        metrics: the content of its metrics.json.
        pictures: whether to include images and the report, which holds some.
    """
    if "targets" in metrics:
        yield {"targets": target_table(metrics["targets"])}
    if "iou" not in metrics:
        return
    scored = read_scored(directory)
    confusion = scored.confusion.sum(axis=0)
    title = f"Confusion matrix, {metrics.get('split', '')}"
    yield {"classes": class_table(confusion, scored.classes, _further(metrics))}
    yield {"iou": _bars(metrics)}
    yield {"confusion_truth": confusion_plot(confusion, scored.classes, title)}
    yield {"confusion_prediction": confusion_plot(confusion, scored.classes, title, "prediction")}
    if (chart := reliability(scored)) is not None:
        yield {"reliability": chart}
    if not pictures:
        return
    if images := worst_and_best(scored, directory):
        yield {"worst_and_best": images}
    report = directory / REPORT
    if report.is_file() and report.stat().st_size < MOST_REPORT:
        import wandb

        yield {"report": wandb.Html(report.read_text(encoding="utf-8"), inject=False)}


def _further(metrics: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Return further columns of the table of classes, by their titles."""
    ends = (metrics.get("intervals") or {}).get("iou", {})
    low, high = ({name: pair and pair[end] for name, pair in ends.items()} for end in (0, 1))
    keys = {"boundary IoU": "boundary_iou", "boundary F": "boundary_f", "ECE": "calibration"}
    others = {title: metrics.get(key, {}).get("classes", {}) for title, key in keys.items()}
    return {"IoU low": low, "IoU high": high, **others}


def _bars(metrics: Mapping[str, Any]) -> Any:
    import wandb

    rows = [[name, iou] for name, iou in metrics["iou"].items() if iou is not None]
    table = wandb.Table(columns=["class", "IoU"], data=rows)
    return wandb.plot.bar(table, "class", "IoU", f"IoU by class, {metrics.get('split', '')}")


def reliability(scored: ScoredImages) -> Any:
    """Return a chart of accuracy by confidence; None for an evaluation without confidences."""
    import wandb

    if scored.calibration is None:
        return None
    bins = calibration(scored.calibration.sum(axis=0))
    filled = bins.share > 0
    x, y = bins.confidence[filled].tolist(), bins.accuracy[filled].tolist()
    return wandb.plot.line_series(
        xs=x,
        ys=[y, x],
        keys=["accuracy", "as confident as right"],
        xname="confidence",
        title="Reliability of all pixels",
    )


def worst_and_best(scored: ScoredImages, directory: Path) -> list["wandb.Image"]:
    """Return the images with the lowest and the highest mIoU, the worst first, with their masks.

    Args:
        scored: the evaluation.
        directory: of its views; images without one are omitted.
    """
    miou, _ = image_scores(scored)
    score = dict(zip(scored.names, miou, strict=True))
    order = [scored.names[index] for index in worst_first(miou)]
    worst, best = extremes([name for name in order if not np.isnan(score[name])], PANEL)
    names = [*worst, *reversed(best)]
    views = read_views(directory, names)
    shown = []
    for name in names:
        if (view := views.get(name)) is None:
            continue
        with Image.open(io.BytesIO(view.image), formats=("JPEG",)) as photo:
            image = np.asarray(photo.convert("RGB"))
        example = Example(name, image, labels_of(view.truth), labels_of(view.prediction))
        caption = f"{name}: mIoU {100 * score[name]:.1f}%"
        shown.append(masked_image(example, scored.classes, caption))
    return shown
