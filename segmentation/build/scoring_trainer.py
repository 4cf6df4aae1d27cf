"""Build the trainer that scores: of every image, with the precision of the training."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig

from segmentation.build.trainer import build_trainer, trainer_options
from segmentation.errors import ConfigError
from segmentation.runs.directory import read_environment

log = logging.getLogger(__name__)

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true")
"""Lightning's names, as far as they need no other library."""


def build_scoring_trainer(
    trainer: DictConfig,
    run: Path | None,
    trained: dict[str, Any] | None,
    callbacks: Sequence[pl.Callback],
) -> pl.Trainer:
    """Return Lightning's trainer for an evaluation.

    Args:
        trainer: see conf/trainer.
        run: directory of the training; None if it is unknown.
        trained: the configuration of the training; None if it is unknown.
        callbacks: of the evaluation.
    """
    options = scoring_options(trainer, trained, run)
    return build_trainer(
        options, logger=False, enable_checkpointing=False, callbacks=list(callbacks)
    )


def scoring_options(
    trainer: DictConfig, trained: dict[str, Any] | None, run: Path | None
) -> dict[str, Any]:
    """Return the trainer's options, with the precision of the training for `auto`.

    The trainer is instantiated from them, and a checkpoint may be a stranger's: its precision is a
    known name or refused.
    """
    options = trainer_options(trainer)
    if trainer.precision != "auto":
        return options
    recorded = ((run and read_environment(run)) or {}).get("precision")
    section = (trained or {}).get("trainer")
    precision = recorded or (section.get("precision") if isinstance(section, dict) else None)
    if precision in (None, "auto"):
        return options
    if precision not in PRECISIONS:
        raise ConfigError(
            f"the precision of the training is {str(precision)[:40]!r}, which is unknown. "
            "Set one: trainer.precision=32-true"
        )
    if str(precision).startswith("16-") and options["accelerator"] == "cpu":
        log.warning(
            "the training's precision, %s, is not available on a CPU: using %s",
            precision,
            options["precision"],
        )
        return options
    return options | {"precision": precision}
