"""From the configuration to objects: the one place that instantiates."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
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
from segmentation.targets import TargetColumns
from segmentation.training.class_weights import class_weights
from segmentation.training.learning_rate import lr_factor
from segmentation.training.losses import WeightedSum
from segmentation.training.module import TrainingModule

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
    cfg: DictConfig,
    num_classes: int,
    columns: TargetColumns | None = None,
    classes: ClassTable | None = None,
) -> models.Model:
    """Return the configured encoder with a decoder, a head for image-level targets, or both.

    Args:
        cfg: `encoder`, `decoder`, `model` and `task`.
        num_classes: of the segmentation.
        columns: the image-level targets; None for none.
        classes: what the segmentation predicts, for `model.weights`.
    """
    earlier = OmegaConf.select(cfg, "model.weights")  # a run to go on with may be older than it
    if earlier and cfg.encoder.weights not in ("auto", "imagenet", "none"):
        raise ConfigError(
            f"model.weights={earlier} brings the encoder's weights along, so "
            f"encoder.weights={cfg.encoder.weights} would not be used: type one of the two."
        )
    encoder = {"name": cfg.encoder.name, "weights": "none" if earlier else cfg.encoder.weights}
    dropout = cfg.task.targets.dropout
    model: models.Model
    if not cfg.task.segmentation and columns is not None:
        model = models.build_target_model(encoder, columns, dropout)
    else:
        model = models.build_model(encoder, plain(cfg.decoder), num_classes, columns, dropout)
    if earlier:
        models.warm_start(model, earlier, classes)
    return model


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
