"""Send scores to the W&B run of a training, at its end or in a later evaluation."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock
from pytorch_lightning.loggers import Logger

from segmentation.commands.wandb_results import log_evaluation
from segmentation.errors import ConfigError
from segmentation.loggers.fault_tolerant import summarize_error
from segmentation.loggers.run_id import read_run_id
from segmentation.loggers.wandb_logger import WandbLogger
from segmentation.loggers.wandb_offline import parts_of_run
from segmentation.runs.curves import read_rows
from segmentation.runs.directory import RUN_CONFIG, finished, read_settings, working
from segmentation.system.packages import explain_missing, missing_packages

WANDB_FOLDER, CURVES = "wandb", "metrics.csv"

LOGGER_OPTIONS = ("project", "entity", "name", "group", "tags", "pictures")
"""Options of logger.wandb that are passed on; a stranger's configuration may hold others."""

PROJECT = "cityseg"
"""The default of logger.wandb.project."""

WANDB_LOCK = ".evaluate.lock"

LOCK_SECONDS = 120.0
"""Seconds that one evaluation waits for another to log its scores."""

log = logging.getLogger(__name__)


def track_training(loggers: Iterable[Logger], directory: Path, split: str) -> None:
    """Log the final scores of a training below ``test/``, or ``best_val/`` where val was scored.

    The curves of the training are below ``val/``.

    Args:
        loggers: of the run; only W&B's is used.
        directory: of the run.
        split: that was scored.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            log_evaluation(logger, directory, split if split == "test" else f"best_{split}")


def warn_if_untracked(run: Path | None) -> None:
    """Warn that an evaluation is not logged to the W&B run of its training: W&B is missing."""
    problem = explain_missing("wandb", "W&B gets no scores of this evaluation: that")
    if problem and run is not None and _tracked(run):
        log.warning(problem)


def track_evaluation(run: Path | None, directory: Path, any_project: bool = False) -> None:
    """Log an evaluation below ``evaluate/<its directory>/`` in the W&B run of the training.

    That run is resumed; one that was never online stays offline. A failure is a warning, as the
    evaluation is on disk. Nothing happens without a W&B run, or W&B (see `warn_if_untracked`).

    Args:
        run: directory of the training; None if it is unknown.
        directory: of the evaluation.
        any_project: also to another project than the default one and that of `WANDB_PROJECT`, or to
            another account: the run's files name them, which a stranger may have written.
    """
    if run is None:
        return
    try:
        if _tracked(run) and not missing_packages("wandb"):
            _track(run, directory, any_project)
    except Exception as error:
        log.warning("W&B gets no scores of this evaluation: %s", summarize_error(error))


def _track(run: Path, directory: Path, any_project: bool) -> None:
    if working(run):
        log.warning("the training is still running: its W&B run gets no scores of this evaluation")
        return
    offline = None if parts_of_run(run, "run") else "the training was"
    options = _options(run)
    known = {key: options[key] for key in LOGGER_OPTIONS if key in options}
    project, entity = known.get("project", PROJECT), known.get("entity")
    own = project in (PROJECT, os.environ.get("WANDB_PROJECT"))
    if not any_project and not (own and entity in (None, os.environ.get("WANDB_ENTITY"))):
        log.warning(
            "W&B gets no scores of this evaluation: the run names the project %r of %s, which who "
            "made the run has chosen. To send them there type wandb=true",
            project,
            "your account" if entity is None else repr(entity),
        )
        return
    logger = WandbLogger(run, offline=offline, **known)
    # A part that another evaluation is writing would look truncated.
    with (
        logger.errors_as_warnings(),
        FileLock(run / WANDB_FOLDER / WANDB_LOCK, timeout=LOCK_SECONDS),
    ):
        log_evaluation(logger, directory, f"evaluate/{directory.name}", _last_step(run))
        logger.finish(exit_code=int(not finished(run)))


def _options(run: Path) -> dict[str, Any]:
    """Return the options of the training's W&B logger.

    Raises:
        ConfigError: its configuration has none.
    """
    loggers = read_settings(run).get("logger")
    options = loggers.get("wandb") if isinstance(loggers, dict) else None
    if not isinstance(options, dict):
        raise ConfigError(f"{run / RUN_CONFIG} has no logger.wandb, so its project is unknown")
    return options


def _last_step(run: Path) -> int | None:
    """Return the last step in the curves of a training; None without any."""
    return max((int(row["step"]) for row in read_rows(run / CURVES)), default=None)


def _tracked(run: Path) -> bool:
    """Return whether a training left a W&B run: its id, and its files."""
    return read_run_id(run / WANDB_FOLDER) is not None and bool(parts_of_run(run))
