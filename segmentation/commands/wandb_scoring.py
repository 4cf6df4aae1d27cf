"""A scoring as W&B shows it: what its directory holds, as summary values, tables and pictures."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from segmentation.calibration import calibration
from segmentation.directories import REPORT, read_metrics
from segmentation.evaluation.stored import ScoredImages, read_scored
from segmentation.pictures import Example
from segmentation.report.pictures import extremes, worst_first
from segmentation.report.scores import image_scores
from segmentation.training.loggers import WandbLogger
from segmentation.training.wandb_tables import (
    class_table,
    confusion_plot,
    masked_image,
    target_table,
)
from segmentation.views import labels_of, read_views

if TYPE_CHECKING:
    import wandb

MOST_REPORT = 20 * 2**20
"""A larger report stays on disk, in bytes."""
PANEL = 4
"""So many of the worst images are shown, and as many of the best."""
SCORES = (
    "miou", "pixel_accuracy", "mean_accuracy", "dice", "frequency_weighted_iou", "images"
)  # fmt: skip
"""Plain numbers of metrics.json that become columns of the table of runs."""


def log_scoring(logger: WandbLogger, directory: Path, prefix: str, step: int | None = None) -> None:
    """Log what a scoring left; a failure is a warning (see `Forgiving`), and costs no more.

    Args:
        logger: of the run that was scored.
        directory: of the scoring.
        prefix: what stands before the names: ``<prefix>/miou`` and so on.
        step: of the training, where its charts have the scoring; None in a training: the last.
    """
    axis = {} if step is None else {"trainer/global_step": step}
    with logger.forgiving():
        metrics = read_metrics(directory) or {}
        logger.check_server()
        run = logger.experiment
        for part in content(directory, metrics, logger.pictures):
            run.log({f"{prefix}/{key}": value for key, value in part.items()} | axis)
        # Last: what is logged replaces it.
        run.summary.update({f"{prefix}/{key}": one for key, one in summary(metrics).items()})


def summary(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores that sort and filter a table of runs, as far as they are known.

    Args:
        metrics: what metrics.json says.
    """
    found = {key: metrics.get(key) for key in SCORES}
    for key in ("boundary_iou", "boundary_f"):
        found[key] = metrics.get(key, {}).get("mean")
    found["ece"] = metrics.get("calibration", {}).get("ece")
    ends = (metrics.get("intervals") or {}).get("miou") or (None, None)
    found |= {"miou_low": ends[0], "miou_high": ends[1]}
    targets = metrics.get("targets", {})
    found |= {key: targets.get("category", {}).get(key) for key in ("accuracy", "macro_f1")}
    found["ccc"] = targets.get("ccc")
    return {key: value for key, value in found.items() if value is not None}


def content(
    directory: Path, metrics: Mapping[str, Any], pictures: bool = True
) -> Iterator[dict[str, Any]]:
    """Yield tables, charts and pictures by name; one that fails takes none before it along.

    Args:
        directory: of the scoring.
        metrics: what its metrics.json says.
        pictures: whether images and the report, which has some, are among it.
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
    """Return the columns that a table of classes has of a scoring, by their titles."""
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
    """Return a chart of accuracy by confidence; None of a scoring that kept no confidences."""
    import wandb

    if scored.calibration is None:
        return None
    found = calibration(scored.calibration.sum(axis=0))
    there = found.share > 0
    x, y = found.confidence[there].tolist(), found.accuracy[there].tolist()
    return wandb.plot.line_series(
        xs=x, ys=[y, x], keys=["accuracy", "as confident as right"], xname="confidence",
        title="Reliability of all pixels",
    )  # fmt: skip


def worst_and_best(scored: ScoredImages, directory: Path) -> list["wandb.Image"]:
    """Return the images with the lowest and the highest mIoU, the worst first, with their masks.

    Args:
        scored: the scoring.
        directory: where its views are; images without one are left out.
    """
    miou, _ = image_scores(scored)
    of = dict(zip(scored.names, miou, strict=True))
    order = [scored.names[place] for place in worst_first(miou)]
    worst, best = extremes([name for name in order if not np.isnan(of[name])], PANEL)
    names = [*worst, *reversed(best)]
    views = read_views(directory, names)
    shown = []
    for name in names:
        if (view := views.get(name)) is None:
            continue
        with Image.open(io.BytesIO(view.image)) as photo:
            image = np.asarray(photo.convert("RGB"))
        example = Example(name, image, labels_of(view.truth), labels_of(view.prediction))
        caption = f"{name}: mIoU {100 * of[name]:.1f}%"
        shown.append(masked_image(example, scored.classes, caption))
    return shown
