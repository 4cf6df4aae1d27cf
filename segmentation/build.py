"""From the configuration to objects: the one place that instantiates."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from pytorch_lightning.callbacks import LearningRateMonitor
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.optim import Optimizer

from segmentation import models
from segmentation.build_targets import build_task_loss
from segmentation.checks import check_arguments, check_count, check_number
from segmentation.classes import ClassTable
from segmentation.data.augmentation import Augmentation
from segmentation.data.cache import open_pairs
from segmentation.data.datamodule import AUTO_BATCH_SIZE, SegmentationData, auto_crop
from segmentation.data.layouts import SPLITS
from segmentation.data.source import Source, look
from segmentation.data.splits import find_splits
from segmentation.data.streets import write_streets
from segmentation.data.targets import TargetTable
from segmentation.errors import ConfigError, DataError
from segmentation.hardware import available_cores, fastest_precision, pick_accelerator
from segmentation.ranks import rank
from segmentation.targets import TargetColumns
from segmentation.training.callbacks import FiniteLoss, Throughput
from segmentation.training.checkpoints import AtomicCheckpointIO, checkpoint_callbacks
from segmentation.training.class_weights import class_weights
from segmentation.training.curves import Curves
from segmentation.training.in_step import CurvesInStep
from segmentation.training.interruption import Interruption
from segmentation.training.learning_rate import lr_factor
from segmentation.training.loggers import WandbLogger
from segmentation.training.losses import WeightedSum
from segmentation.training.module import TrainingModule
from segmentation.training.monitor import MIOU, Monitor
from segmentation.training.processes import (
    EndTogether,
    check_processes,
    cluster,
    processes_here,
    watch_parent,
)
from segmentation.training.progress import RunProgress
from segmentation.training.wandb_media import WandbMedia

log = logging.getLogger(__name__)


def plain(cfg: DictConfig) -> dict[str, Any]:
    """Return a part of the configuration as plain values, resolved."""
    return cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))


def find_source(
    data: DictConfig,
    only: Sequence[str] = SPLITS,
    directory: Path | None = None,
    masks: bool = True,
) -> Source:
    """Return a data set as it is found, after drawing the streets if need be.

    Args:
        data: see conf/data.
        only: the splits that are wanted.
        directory: where a class table is written that cannot be written beside the data.
        masks: they are needed; else images without any will do.

    Raises:
        ConfigError, DataError: for what a user can mend; bad files are noted in the source.
    """
    if data.root is None:
        raise ConfigError("data.root is not set. Type data=<option> data.root=<folder>.")
    root = Path(data.root).expanduser()
    if "draw" in data:
        write_streets(root, data.draw.seed, tuple(data.draw.size), dict(data.draw.counts))
    pairs = Path(data.pairs).expanduser() if data.pairs else None
    splits = find_splits(root, pairs, data.group, data.mask_ending, masks, _fold(data))
    chosen = {split: rows for split, rows in splits.samples.items() if split in only}
    if not chosen:
        raise DataError(
            f"no {' or '.join(only)} split in {root} (splits there: {', '.join(splits.samples)})."
        )
    others = {split: rows for split, rows in splits.samples.items() if split not in only}
    splits = replace(splits, samples=chosen, others=others)
    return look(root, splits, data.classes, data.void, data.unknown, directory)


def build_data(
    data: DictConfig,
    source: Source,
    augment: DictConfig | None,
    seed: int,
    build_cache: bool = True,
    targets: Mapping[str, TargetTable] | None = None,
    parts: int = 1,
) -> SegmentationData:
    """Return the datamodule of a data set; without `augment` training sees images as they are.

    Args:
        data: see conf/data.
        source: what can be used of the data set.
        augment: see conf/augment.
        seed: order and augmentation follow from it.
        build_cache: whether data.cache=auto may build a cache, see `open_pairs`.
        targets: the image-level targets of each split; None for none.
        parts: a training batch comes in so many.
    """
    return SegmentationData(
        augment=Augmentation.from_dict(plain(augment)) if augment else None,
        size=_size(data, "size"),
        crop=_crop(data, source),
        batch_size=AUTO_BATCH_SIZE if data.batch_size == "auto" else data.batch_size,
        workers=data.workers,
        seed=seed,
        skip=data.on_error == "skip",
        targets=targets,
        parts=parts,
        splits=open_pairs(source, data.cache, build_cache),  # last: it may take minutes
    )


def build_model(
    cfg: DictConfig, num_classes: int, columns: TargetColumns | None = None
) -> models.Model:
    """Return the configured encoder with a decoder, a head for image-level targets, or both.

    Args:
        cfg: `encoder`, `decoder` and `task`.
        num_classes: of the segmentation.
        columns: the image-level targets; None for none.
    """
    encoder = {"name": cfg.encoder.name, "weights": cfg.encoder.weights}
    dropout = cfg.task.targets.dropout
    if not cfg.task.segmentation and columns is not None:
        return models.build_target_model(encoder, columns, dropout)
    return models.build_model(encoder, plain(cfg.decoder), num_classes, columns, dropout)


def build_loss(loss: DictConfig, pixels: np.ndarray) -> WeightedSum:
    """Return the weighted sum of the configured terms.

    Args:
        loss: `class_weights` and `terms`, see conf/loss.
        pixels: (images, C), the labelled pixels of the training split, see `Scan`.
    """
    totals = pixels.sum(axis=1, keepdims=True)
    weights = class_weights(
        loss.class_weights, pixels.sum(axis=0), ((pixels > 0) * totals).sum(axis=0)
    )
    terms, factors = {}, {}
    for name, term in loss.terms.items():
        options = plain(term)
        factors[name] = options.pop("weight")
        terms[name] = instantiate(options, class_weights=weights)
    return WeightedSum(terms, factors)


def build_module(
    cfg: DictConfig,
    model: models.Model,
    classes: ClassTable | None,
    pixels: np.ndarray,
    checkpoint_extra: dict,
) -> TrainingModule:
    """Return the module that trains `model` as configured."""
    optimizer, schedule = build_optimizer(cfg), instantiate(cfg.schedule)
    check_arguments("schedule", schedule)
    columns = model.target_head.columns if model.target_head is not None else None
    segmentation = None if classes is None else build_loss(cfg.loss, pixels)
    return TrainingModule(
        model,
        classes,
        loss=build_task_loss(cfg.task, columns, segmentation),
        optimizer=optimizer,
        schedule=schedule,
        encoder_lr_factor=cfg.encoder.lr_factor,
        freeze_encoder_epochs=check_count("encoder.freeze_epochs", cfg.encoder.freeze_epochs, 0),
        checkpoint_extra=checkpoint_extra,
        seed=cfg.seed,
    )


def build_optimizer(cfg: DictConfig) -> partial[Optimizer]:
    """Return what makes the optimizer, with the learning rate for this global batch.

    Args:
        cfg: `optimizer`, and what the batch follows from: `data` and `trainer`.
    """
    options = plain(cfg.optimizer)
    factor = lr_factor(options["_target_"], options.pop("lr_for_batch", None), global_batch(cfg))
    optimizer = instantiate(options)
    check_arguments("optimizer", optimizer)
    lr = check_number("optimizer.lr", options["lr"], "above 0", lambda value: value > 0)
    return partial(optimizer, lr=factor * lr)


def global_batch(cfg: DictConfig) -> int:
    """Return how many images one optimizer step sees, on all ranks together."""
    batch = AUTO_BATCH_SIZE if cfg.data.batch_size == "auto" else cfg.data.batch_size
    steps = cfg.trainer.accumulate_grad_batches
    return check_count("data.batch_size", batch, 1) * check_count(
        "trainer.accumulate_grad_batches", steps, 1
    )


def build_callbacks(
    callbacks: DictConfig,
    directory: Path,
    loggers: list[Logger],
    monitor: Monitor = MIOU,
    checkpoint_minutes: float = 10.0,
    signals: Mapping[str, Sequence[str]] | None = None,
) -> list[pl.Callback]:
    """Return the callbacks every run has, those configured, and those the loggers need.

    Args:
        callbacks: see conf/callbacks; one whose `monitor` is auto gets that of the run.
        directory: of the run.
        loggers: of the run.
        monitor: the score that says which weights are the best.
        checkpoint_minutes: so often the last weights are kept within an epoch.
        signals: names of signals that save and end the run, see `Interruption`.
    """
    chosen = [
        instantiate(node, **({"monitor": monitor.key} if node.get("monitor") == "auto" else {}))
        for node in callbacks.values()
    ]
    media = [WandbMedia()] if any(isinstance(one, WandbLogger) for one in loggers) else []
    return [
        FiniteLoss(),
        Throughput(),
        LearningRateMonitor(logging_interval="step"),
        RunProgress(),
        Interruption(directory, **(signals or {})),
        *media,  # before an average of weights steps out again after validation
        *chosen,
        CurvesInStep(),
        EndTogether(),  # after what others do about an error
        *checkpoint_callbacks(directory / "checkpoints", monitor.key, checkpoint_minutes),
    ]


def trainer_options(trainer: DictConfig, freezes: bool = False) -> dict[str, Any]:
    """Return the trainer's options with a device that is there and a precision that suits it.

    Args:
        trainer: see conf/trainer.
        freezes: part of the model gets no gradient at first, which DDP has to be told.

    Raises:
        ConfigError: a GPU is asked for where there is none, or processes that cannot be.
    """
    options = plain(trainer)
    if "limit_test_batches" in options:
        raise ConfigError("trainer.limit_test_batches: a score is of every image of its split.")
    check_count("trainer.log_every_n_steps", options["log_every_n_steps"], 1)
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


def build_trainer(options: dict[str, Any], **arguments: Any) -> pl.Trainer:
    """Return Lightning's trainer.

    Args:
        options: see `trainer_options`.
        arguments: loggers, callbacks, and what else the command decides.

    Raises:
        ConfigError: an option that Lightning refuses.
    """
    watch_parent()
    if options["accelerator"] == "cpu":
        torch.set_num_threads(max(1, available_cores() // processes_here(options)))
    try:
        return instantiate(
            options,
            num_sanity_val_steps=0,  # files and labels have been looked at already
            use_distributed_sampler=False,  # our samplers know their ranks
            plugins=[AtomicCheckpointIO(), *cluster()],
            enable_model_summary=False,  # the start-up summary says it
            _convert_="all",
            **arguments,
        )
    except (InstantiationException, MisconfigurationException, TypeError, ValueError) as error:
        raise ConfigError(f"trainer: {_cause(error)}") from error


def build_loggers(logger: DictConfig, directory: Path) -> list[Logger]:
    """Return the configured loggers, and the one every run has: `metrics.csv`."""
    # The trainer, made later, would say so too late: only rank zero may open a W&B run.
    rank_zero_only.rank = rank()  # type: ignore[attr-defined]
    chosen = [instantiate(node, save_dir=directory) for node in logger.values()]
    return [Curves(directory), *chosen]


def _fold(data: DictConfig) -> tuple[int, int] | None:
    if data.folds is None and data.fold is None:
        return None
    if data.folds is None or data.fold is None:
        raise ConfigError(
            "data.folds and data.fold belong together: python train.py -m data.folds=5 "
            "data.fold=0,1,2,3,4"
        )
    folds = check_count("data.folds", data.folds, 2)
    if check_count("data.fold", data.fold, 0) >= folds:
        raise ConfigError(f"data.fold={data.fold}: folds count from 0 to {folds - 1}.")
    return data.fold, folds


def _crop(data: DictConfig, source: Source) -> tuple[int, int] | None:
    if data.crop != "auto":
        return _size(data, "crop")
    if data.size is not None or "train" not in source.scans:
        return None
    return auto_crop(source.scans["train"].sizes)


def _size(data: DictConfig, key: str) -> tuple[int, int] | None:
    value = data[key]
    if value is None:
        return None
    good = isinstance(value, list | ListConfig) and len(value) == 2
    if not (good and all(isinstance(side, int) and side > 0 for side in value)):
        raise ConfigError(f"data.{key}={value}: expected [height, width] in pixels, or null.")
    return tuple(value)


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
