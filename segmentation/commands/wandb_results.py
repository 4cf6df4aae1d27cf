"""A scoring as W&B shows it: what its directory holds, as summary values, tables and pictures."""

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
import logging
from collections.abc import Iterable

from filelock import FileLock
from pytorch_lightning.loggers import Logger

from segmentation.errors import ConfigError
from segmentation.loggers.fault_tolerant import summarize_error
from segmentation.loggers.run_id import read_run_id
from segmentation.runs.curves import read_rows
from segmentation.runs.directory import CONFIG, finished, read_settings, working

MOST_REPORT = 20 * 2**20
"""A larger report stays on disk, in bytes."""

PANEL = 4
"""So many of the worst images are shown, and as many of the best."""

SCORES = (
    "miou", "pixel_accuracy", "mean_accuracy", "dice", "frequency_weighted_iou", "images"
)  # fmt: skip
"""Plain numbers of metrics.json that become columns of the table of runs."""


def log_scoring(logger: WandbLogger, directory: Path, prefix: str, step: int | None = None) -> None:
    """Log what a scoring left; a failure is a warning (see `FaultTolerant`), and costs no more.

    Args:
        logger: of the run that was scored.
        directory: of the scoring.
        prefix: what stands before the names: ``<prefix>/miou`` and so on.
        step: of the training, where its charts have the scoring; None in a training: the last.
    """
    axis = {} if step is None else {"trainer/global_step": step}
    with logger.errors_as_warnings():
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


FOLDER, CURVES = "wandb", "metrics.csv"

OPTIONS = ("project", "entity", "name", "group", "tags", "pictures")
"""Of logger.wandb; no other, as what a configuration may name besides is not for us to call."""

LOCK = ".evaluate.lock"

PATIENCE = 120.0
"""Seconds that one evaluation waits for another to have told W&B its scores."""

log = logging.getLogger(__name__)


def track_training(loggers: Iterable[Logger], directory: Path, split: str) -> None:
    """Log the final scoring of a training, under ``test/``, or ``best_val/`` where val was scored.

    Under ``val/`` are the curves of the training.

    Args:
        loggers: of the run; those that are not W&B's get nothing.
        directory: of the run.
        split: that was scored.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            log_scoring(logger, directory, split if split == "test" else f"best_{split}")


def track_evaluation(run: Path | None, directory: Path) -> None:
    """Log a scoring under ``evaluate/<its directory>/`` in the W&B run of the training.

    That run goes on as a resumed training does; one that never was online stays so. A failure is a
    warning, as the scoring is on disk; without such a run nothing happens.

    Args:
        run: directory of the training; None if it is not known.
        directory: of the scoring.
    """
    if run is None:
        return
    try:
        if _tracked(run):
            _track(run, directory)
    except Exception as error:
        log.warning("W&B gets no scores of this evaluation: %s", summarize_error(error))


def _track(run: Path, directory: Path) -> None:
    if working(run):
        log.warning("the training is at work: its W&B run gets no scores of this evaluation")
        return
    online = any((run / FOLDER).glob("run-*"))
    offline = None if online else "the training was"
    options = _options(run)
    known = {key: options[key] for key in OPTIONS if key in options}
    logger = WandbLogger(run, offline=offline, **known)
    # What another evaluation is writing would look like a part that was cut off.
    with logger.errors_as_warnings(), FileLock(run / FOLDER / LOCK, timeout=PATIENCE):
        log_scoring(logger, directory, f"evaluate/{directory.name}", _last_step(run))
        logger.finish(exit_code=int(not finished(run)))


def _options(run: Path) -> dict[str, Any]:
    """Return how the training was logged.

    Raises:
        ConfigError: its configuration does not say.
    """
    loggers = read_settings(run).get("logger")
    options = loggers.get("wandb") if isinstance(loggers, dict) else None
    if not isinstance(options, dict):
        raise ConfigError(f"{run / CONFIG} has no logger.wandb, so its project is not known")
    return options


def _last_step(run: Path) -> int | None:
    """Return the last step of a training, as its curves have it; None without any."""
    return max((int(row["step"]) for row in read_rows(run / CURVES)), default=None)


def _tracked(run: Path) -> bool:
    """Return whether a training left a W&B run: its id, and a part of it."""
    folder = run / FOLDER
    parts = (*folder.glob("run-*"), *folder.glob("offline-run-*"))
    return read_run_id(folder) is not None and bool(parts)
