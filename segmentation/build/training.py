"""`train`: from the configuration to a plan of plain values, and what builds the parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger

from segmentation.build.model import build_model
from segmentation.build.module import build_module, describe_optimizer
from segmentation.build.resume import resolve_resume
from segmentation.build.task_options import check_task
from segmentation.build.trainer import (
    build_callbacks,
    build_loggers,
    build_trainer,
    trainer_options,
)
from segmentation.build.training_data import TrainingData, find_training_data
from segmentation.build.typed_options import typed_keys, yield_to_typed
from segmentation.config import plain, settings
from segmentation.console import argument
from segmentation.errors import ConfigError, check_flag, check_seed
from segmentation.models import describe_model
from segmentation.models.saving import extra_of
from segmentation.runs.directory import finished, read_settings
from segmentation.runs.saved_config import check_settings
from segmentation.system.ranks import rank
from segmentation.system.redaction import redacted
from segmentation.training.module import TrainingModule


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """A training as configured. What the page calls to build its parts is in their order.

    Attributes:
        directory: of the run.
        settings: the configuration that `config.yaml` keeps.
        resume: continue from the newest checkpoint, if there is one.
        rerun: the run directory that is repeated, as it was typed; None for none.
        segments: whether the model predicts masks.
        seed: of the weights, the order of the images and their augmentation.
        splits_batches: whether a batch may go through the model in parts (`data.batch_size=auto`).
        trainer_options: returns the options of Lightning's trainer for a number of parts.
        find_data: finds the data, given the trainer's options and the parts of a training batch.
        build_module: builds the module that trains the model on these data.
        build_loggers: builds the loggers of the run, that of `metrics.csv` first.
        build_trainer: builds the trainer of options and a module, with loggers and callbacks.
        describe_optimizer: says the optimizer, its learning rate, and how that follows from the
            batch.
    """

    directory: Path
    settings: dict[str, Any]
    resume: bool
    rerun: str | None
    segments: bool
    seed: int
    splits_batches: bool
    trainer_options: Callable[[int], dict[str, Any]]
    find_data: Callable[[dict[str, Any], int], TrainingData]
    build_module: Callable[[TrainingData], TrainingModule]
    build_loggers: Callable[[], list[Logger]]
    build_trainer: Callable[
        [dict[str, Any], TrainingModule, list[Logger], Sequence[pl.Callback]], pl.Trainer
    ]
    describe_optimizer: Callable[[], str]


def read_training(cfg: DictConfig, directory: Path) -> TrainingPlan:
    """Return the plan of a training: as typed, or as the run to resume or repeat has it.

    Args:
        cfg: see conf/train.yaml.
        directory: the run directory that Hydra has made.

    Raises:
        ConfigError: an invalid option.
    """
    cfg = yield_to_typed(resolve_resume(cfg, directory, first=rank() == 0), typed_keys())
    if not finished(directory):
        check_seed("seed", cfg.seed)
        check_task(cfg.task)
        check_flag("deterministic", cfg.deterministic)
        if not cfg.data.name:
            raise ConfigError("data=as_trained is for evaluate. Train with data=folder or another.")
    elif cfg.resume and cfg.trainer != read_settings(directory)["trainer"]:
        raise ConfigError(
            f"{directory} is complete, and its learning rate schedule has ended: it can't be "
            f"extended. Repeat it for longer: {argument('rerun', directory)} "
            "trainer.max_epochs=<epochs>"
        )
    kept = redacted(settings(cfg))
    try:
        check_settings(kept)
    except ValueError as error:  # no later step would read the run
        raise ConfigError(f"{error}.") from error
    return TrainingPlan(
        directory=directory,
        settings=kept,
        resume=bool(cfg.resume),
        rerun=str(cfg.rerun) if cfg.rerun else None,
        segments=cfg.task.segmentation,
        seed=cfg.seed,
        splits_batches=cfg.data.batch_size == "auto",
        trainer_options=partial(_trainer_options, cfg),
        find_data=partial(find_training_data, cfg, directory),
        build_module=partial(_build_module, cfg, kept),
        build_loggers=partial(build_loggers, cfg.logger, directory),
        build_trainer=partial(_build_trainer, cfg, directory),
        describe_optimizer=partial(describe_optimizer, cfg),
    )


def _trainer_options(cfg: DictConfig, parts: int) -> dict[str, Any]:
    """Return the options of Lightning's trainer, with the device and the precision chosen."""
    options = trainer_options(cfg.trainer, bool(cfg.encoder.freeze_epochs))
    options["deterministic"] = "warn" if cfg.deterministic else False
    options["accumulate_grad_batches"] *= parts
    return options


def _build_module(cfg: DictConfig, kept: dict[str, Any], data: TrainingData) -> TrainingModule:
    """Return the module that trains the configured model; its checkpoints keep the settings."""
    source, classes = data.source, data.classes
    channels = source.reader.channels
    model = build_model(cfg, len(source.labels.classes), data.columns, classes, channels)
    extra = extra_of(source.typical_size(), channels)
    checkpoint_extra = {
        "model": describe_model(model, classes, data.size, extra),
        "config": kept,
    }
    return build_module(cfg, model, classes, source.scans["train"].pixels, checkpoint_extra)


def _build_trainer(
    cfg: DictConfig,
    directory: Path,
    options: dict[str, Any],
    module: TrainingModule,
    loggers: list[Logger],
    callbacks: Sequence[pl.Callback],
) -> pl.Trainer:
    """Return Lightning's trainer, with these callbacks before the configured ones."""
    configured = build_callbacks(
        cfg.callbacks,
        directory,
        loggers,
        module.monitor,
        cfg.checkpoint_minutes,
        plain(cfg.signals),
        options.get("enable_progress_bar", True),
    )
    return build_trainer(
        options,
        default_root_dir=directory,
        logger=loggers,
        callbacks=[*callbacks, *configured],
    )
