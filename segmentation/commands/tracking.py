"""The scores of finished models in W&B: after a training, and of each `evaluate.py`."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock
from pytorch_lightning.loggers import Logger

from segmentation.commands.wandb_scoring import log_scoring
from segmentation.curve_rows import read_rows
from segmentation.directories import CONFIG, finished, read_settings, working
from segmentation.errors import ConfigError
from segmentation.training.forgiving import short
from segmentation.training.loggers import WandbLogger, known_id

FOLDER, CURVES = "wandb", "metrics.csv"
OPTIONS = ("project", "entity", "name", "group", "tags", "pictures")
"""Of logger.wandb; no other, as what a configuration may name besides is not for us to call."""
LOCK = ".evaluate.lock"
PATIENCE = 120.0
"""Seconds that one evaluation waits for another to have told W&B its scores."""

log = logging.getLogger(__name__)


def check_tracking(wanted: object) -> bool:
    """Return whether the option `wandb` wants scores to be logged where the training was.

    Raises:
        ConfigError: it is neither auto nor false.
    """
    if wanted not in ("auto", False):
        raise ConfigError(
            f"wandb={wanted}: use auto (the scores go to the W&B run of the training, where it has "
            "one) or false."
        )
    return wanted == "auto"


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
        log.warning("W&B gets no scores of this evaluation: %s", short(error))


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
    with logger.forgiving(), FileLock(run / FOLDER / LOCK, timeout=PATIENCE):
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
    return known_id(folder) is not None and bool(parts)
