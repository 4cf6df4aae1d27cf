"""Build Lightning's trainer, its callbacks and its loggers."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig
from pytorch_lightning.callbacks import LearningRateMonitor, WeightAveraging
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import StrategyRegistry
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from segmentation.build.argument_types import check_types
from segmentation.build.trainer_options import CHECKED, COMPILE, check_trainer
from segmentation.config import plain
from segmentation.errors import ConfigError, check_count, did_you_mean
from segmentation.loggers.checkpoint_sync import CheckpointSync
from segmentation.loggers.csv_logger import ResumableCSVLogger
from segmentation.loggers.wandb_logger import WandbLogger
from segmentation.loggers.wandb_media import WandbMedia
from segmentation.system.hardware import (
    available_cores,
    fastest_precision,
    pick_accelerator,
)
from segmentation.system.packages import explain_missing
from segmentation.system.ranks import rank
from segmentation.training.callbacks import FiniteLoss, Throughput
from segmentation.training.checkpoints import AtomicCheckpointIO, checkpoint_callbacks
from segmentation.training.distributed import (
    EndTogether,
    check_processes,
    cluster,
    processes_here,
    watch_parent,
)
from segmentation.training.monitor import MIOU, Monitor
from segmentation.training.progress_bar import RunProgressBar
from segmentation.training.save_on_signal import SaveOnSignal

SIGNALS = ("save", "requeue")
SHORT_NAMES = {"16": "16-mixed", "bf16": "bf16-mixed", "32": "32-true", "64": "64-true"}
"""Lightning's short names for precisions."""

log = logging.getLogger(__name__)


def build_callbacks(
    callbacks: DictConfig,
    directory: Path,
    loggers: list[Logger],
    monitor: Monitor = MIOU,
    checkpoint_minutes: float = 10.0,
    signals: Mapping[str, Sequence[str]] | None = None,
    progress_bar: bool = True,
) -> list[pl.Callback]:
    """Return the callbacks of every run, the configured ones, and those that the loggers need.

    Args:
        callbacks: see conf/callbacks; `monitor: auto` becomes that of the run.
        directory: of the run.
        loggers: of the run.
        monitor: the score that selects the best weights.
        checkpoint_minutes: interval of `last.ckpt` within an epoch.
        signals: names of signals, see `SaveOnSignal`.
        progress_bar: whether progress is shown.

    Raises:
        ConfigError: a callback without a class, or two that average the weights.
    """
    if unknown := sorted((signals or {}).keys() - SIGNALS):
        raise ConfigError(f"there is no option signals.{unknown[0]}: use {', '.join(SIGNALS)}.")
    configured = []
    for name, node in callbacks.items():
        if not isinstance(node, DictConfig) or "_target_" not in node:
            raise ConfigError(
                f"callbacks.{name!s} has no class: also type callbacks=<the option that has it>, "
                f"or +callbacks.{name!s}._target_=<class>."
            )
        configured.append(_build_callback(str(name), node, monitor))
    averages = [callback for callback in configured if isinstance(callback, WeightAveraging)]
    if len(averages) > 1:  # each would swap out the weights that the other has swapped in
        names = " and ".join(type(callback).__name__ for callback in averages)
        raise ConfigError(f"callbacks: {names} both average the weights. Choose one of them.")
    media = [WandbMedia()] if any(isinstance(logger, WandbLogger) for logger in loggers) else []
    return [
        FiniteLoss(),
        Throughput(),
        LearningRateMonitor(logging_interval="step"),
        *([RunProgressBar()] if progress_bar else []),
        SaveOnSignal(directory, **(signals or {})),
        *media,  # while averaged weights are still swapped in after validation
        *configured,
        CheckpointSync(),
        EndTogether(),  # after the other callbacks have handled an error
        *checkpoint_callbacks(directory / "checkpoints", monitor.key, checkpoint_minutes),
    ]


def _build_callback(name: str, node: DictConfig, monitor: Monitor) -> pl.Callback:
    """Return a configured callback, with what it monitors in place of `auto`."""
    options = plain(node)
    if options.get("monitor") == "auto":
        options["monitor"] = monitor.key
    if options.get("mode") == "auto":
        falls = re.search(r"loss|rmse", str(options.get("monitor")))
        options["mode"] = "min" if falls else "max"
    check_types(f"callbacks.{name}", get_class(options["_target_"]), options)
    if "patience" in options:
        check_count(f"callbacks.{name}.patience", options["patience"], 0)
    try:
        return instantiate(options, _convert_="all")
    except (InstantiationException, MisconfigurationException) as error:
        raise ConfigError(f"callbacks.{name}: {_cause(error)}") from error


def trainer_options(trainer: DictConfig, freezes: bool = False) -> dict[str, Any]:
    """Return the trainer's options with an available device and a precision that suits it.

    Args:
        trainer: see conf/trainer.
        freezes: whether part of the model gets no gradient at first, which DDP must know.

    Raises:
        ConfigError: a GPU that is not available, or an invalid number of processes.
    """
    options = plain(trainer)
    check_options(options)
    options["precision"] = SHORT_NAMES.get(str(options["precision"]), options["precision"])
    options["accelerator"] = kind = pick_accelerator(options["accelerator"], "trainer")
    if options["precision"] == "auto":
        options["precision"] = fastest_precision(kind)
        if options["precision"] == "32-true":
            log.info("precision: float32 (bfloat16: NVIDIA from Ampere, x86 with AVX512-BF16)")
    if check_processes(options) != 1:
        options.setdefault("strategy", "ddp")
    if freezes and options.get("strategy") == "ddp":
        options["strategy"] = "ddp_find_unused_parameters_true"
    return options


def check_options(options: Mapping[str, Any]) -> None:
    """Check the options of Lightning's trainer as far as that needs no device.

    Raises:
        ConfigError: an option that it does not have or that is not the user's to set, or a value of
            another type or out of its range.
    """
    check_trainer(options)
    check_types("trainer", pl.Trainer, options, skip=CHECKED)
    strategies = ("auto", *StrategyRegistry.available_strategies())
    if (strategy := options.get("strategy", "auto")) not in strategies:
        hint = did_you_mean(str(strategy), strategies)
        raise ConfigError(f"trainer.strategy={strategy!r}: unknown.{hint}")


def build_trainer(options: dict[str, Any], **arguments: Any) -> pl.Trainer:
    """Return Lightning's trainer.

    Args:
        options: see `trainer_options`.
        arguments: loggers, callbacks and other arguments that a command sets.

    Raises:
        ConfigError: an option that Lightning rejects.
    """
    watch_parent()
    if options["accelerator"] == "cpu":
        torch.set_num_threads(max(1, available_cores() // processes_here(options)))
    lightnings = {name: value for name, value in options.items() if name != COMPILE}
    try:
        return instantiate(
            lightnings,
            num_sanity_val_steps=0,  # files and labels are checked already
            use_distributed_sampler=False,  # our samplers handle ranks
            plugins=[AtomicCheckpointIO(), *cluster()],
            enable_model_summary=False,  # it is in the start-up summary
            _convert_="all",
            **arguments,
        )
    except (InstantiationException, MisconfigurationException, TypeError, ValueError) as error:
        raise ConfigError(f"trainer: {_cause(error)}") from error


def build_loggers(logger: DictConfig, directory: Path) -> list[Logger]:
    """Return the logger of every run, `metrics.csv`, then the configured ones.

    W&B's is the default, so that it is left out with a warning where its package is missing.

    Raises:
        ConfigError: the package of another logger is missing.
    """
    # Only rank zero may open a W&B run; the trainer would set the rank too late.
    rank_zero_only.rank = rank()  # type: ignore[attr-defined]
    nodes = list(logger.values())
    if any(map(_is_wandb, nodes)) and (
        problem := explain_missing("wandb", "the run is not logged to W&B: that")
    ):
        log.warning(problem)
        nodes = [node for node in nodes if not _is_wandb(node)]
    configured = [instantiate(node, save_dir=directory) for node in nodes]
    return [ResumableCSVLogger(directory), *configured]


def _is_wandb(node: DictConfig) -> bool:
    return node._target_ == f"{WandbLogger.__module__}.{WandbLogger.__name__}"


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
