"""Build the loss, the optimizer and the module that trains."""

from functools import partial
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from segmentation import models
from segmentation.build.training_options import check_arguments, check_optimizer, global_batch
from segmentation.classes import ClassTable
from segmentation.config import plain
from segmentation.errors import check_count
from segmentation.targets import TargetColumns
from segmentation.training.class_weights import class_weights
from segmentation.training.losses import TargetLoss, TaskLoss, WeightedSum, Weighting
from segmentation.training.module import TrainingModule
from segmentation.training.optimizer import lr_factor


def build_loss(loss: DictConfig, pixels: np.ndarray) -> WeightedSum:
    """Return the weighted sum of the configured terms.

    Args:
        loss: `class_weights` and `terms`, see conf/loss.
        pixels: (images, C), the labelled pixels of the training split, see `Scan`.
    """
    weights = loss_weights(loss, pixels)
    terms, factors = {}, {}
    for name, term in loss.terms.items():
        options = plain(term)
        factors[name] = options.pop("weight")
        terms[name] = instantiate(options, class_weights=weights)
    return WeightedSum(terms, factors)


def loss_weights(loss: DictConfig, pixels: np.ndarray) -> Tensor | None:
    """Return the weight of each class in the configured loss, (C,); None for none.

    Args:
        loss, pixels: see `build_loss`.
    """
    totals = pixels.sum(axis=1, keepdims=True)
    return class_weights(
        loss.class_weights, pixels.sum(axis=0), ((pixels > 0) * totals).sum(axis=0)
    )


def build_module(
    cfg: DictConfig,
    model: models.Model,
    classes: ClassTable | None,
    pixels: np.ndarray,
    checkpoint_extra: dict,
) -> TrainingModule:
    """Return the module that trains `model` as configured."""
    optimizer, schedule = build_optimizer(cfg), build_schedule(cfg.schedule)
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
    """Return a factory of the optimizer, with the learning rate for the global batch.

    Args:
        cfg: `optimizer`, and the sections that set the batch: `data` and `trainer`.
    """
    check_optimizer(cfg)
    check_arguments("optimizer", cfg.optimizer)
    options = plain(cfg.optimizer)
    factor = lr_factor(options["_target_"], options.pop("lr_for_batch", None), global_batch(cfg))
    optimizer = instantiate(options)
    return partial(optimizer, lr=factor * options["lr"])


def build_schedule(schedule: DictConfig) -> partial[LRScheduler]:
    """Return a factory of the learning rate schedule, see conf/schedule."""
    check_arguments("schedule", schedule)
    return instantiate(schedule)


def describe_optimizer(cfg: DictConfig) -> str:
    """Return the optimizer and its learning rate in words, and how that follows from the batch."""
    options, batch = cfg.optimizer, global_batch(cfg)
    factor = lr_factor(options._target_, options.get("lr_for_batch"), batch)
    name, lr = options._target_.rpartition(".")[2], factor * options.lr
    if factor == 1:
        return f"{name}, learning rate {lr:.3g}"
    rule = (
        f"{options.lr:g} is for a batch of {options.lr_for_batch}; for {batch}, {factor:.3g} times"
    )
    return f"{name}, learning rate {lr:.3g} ({rule})"


def build_task_loss(
    task: DictConfig, columns: TargetColumns | None, segmentation: WeightedSum | None
) -> TaskLoss:
    """Return the loss of all tasks.

    Args:
        task: see conf/train.yaml.
        columns: the image-level targets; None for none.
        segmentation: the loss of the segmentation; None for none.
    """
    if columns is None:
        return TaskLoss(segmentation)
    tasks = [
        *(["segmentation"] if segmentation is not None else []),
        *(["category"] if columns.categories else []),
        *(["values"] if columns.values else []),
    ]
    weights: dict[str, Any] = dict(task.weights)
    return TaskLoss(
        segmentation,
        TargetLoss(columns, task.targets.values_loss),
        Weighting(tasks, weights, task.weighting),
    )
