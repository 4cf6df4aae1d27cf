"""Limits of the first step, found from counts and sizes before images are cached."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from segmentation.data.augment.window import Size
from segmentation.errors import ConfigError
from segmentation.models import Model, UNet

MUCH_PADDING = 0.1
"""Crops of which more than this is padding are warned of ..."""
MOST_PADDING = 0.75
"""... and from here refused: they are meant for larger images."""
ONE_VALUE = "Expected more than 1"
"""What PyTorch's batch and instance norm say of a channel with a single value."""


@dataclass(frozen=True)
class TrainingBatch:
    """The batches of a training.

    Attributes:
        images: in the global batch.
        size: (height, width) in pixels, of the images as the model gets them.
        ranks: processes that share the batch.
        parts: that a rank's share goes through the model in.
        images_there: images of the training split.
    """

    images: int
    size: Size
    ranks: int
    parts: int
    images_there: int

    @property
    def at_once(self) -> int:
        """Images that go through the model in one pass."""
        return self.images // self.ranks // self.parts

    @property
    def per_epoch(self) -> int:
        """Batches of an epoch."""
        return max(self.images_there // self.images, 1)


def check_batch(batch: TrainingBatch) -> Iterator[str]:
    """Check that every rank gets images; yield a warning where images repeat within a batch.

    Raises:
        ConfigError: the batch does not divide among the ranks.
    """
    check_division(batch.images, batch.ranks)
    if batch.images > batch.images_there:
        fitting = batch.images_there // batch.ranks * batch.ranks or batch.ranks
        yield (
            f"train has {batch.images_there} images, fewer than data.batch_size={batch.images}: "
            f"images repeat within each batch. Use data.batch_size={fitting} or less."
        )


def check_division(images: int, ranks: int) -> None:
    """Check that a global batch of `images` divides among `ranks` processes.

    Raises:
        ConfigError: it does not.
    """
    if images % ranks:
        raise ConfigError(
            f"data.batch_size={images} is the global batch and does not divide among "
            f"{ranks} processes: use a multiple of {ranks}."
        )


def check_crop(crop: Size | None, sizes: np.ndarray) -> Iterator[str]:
    """Yield a warning where crops are larger than images, which are padded with void to fit.

    Args:
        crop: (height, width); None for no crops.
        sizes: (images, 2), the heights and widths of the training images, as they are cropped.

    Raises:
        ConfigError: more than `MOST_PADDING` of the crops would be padding.
    """
    share = padding(crop, sizes)
    if crop is None or share <= MUCH_PADDING:
        return
    smaller = np.count_nonzero((sizes < crop).any(axis=1))
    message = (
        f"{smaller} of {len(sizes)} training images are smaller than the crops of "
        f"{crop[0]}x{crop[1]}: {share:.0%} of the crops is padding, which is void. "
        f"{_advice(crop, sizes)}"
    )
    if share > MOST_PADDING:
        raise ConfigError(message)
    yield message


def padding(crop: Size | None, sizes: np.ndarray) -> float:
    """Return the share of training crops that is padding, 0..1, unless images are zoomed."""
    if crop is None:
        return 0.0
    return float(1 - (np.minimum(sizes, crop).prod(axis=1) / math.prod(crop)).mean())


def _advice(crop: Size, sizes: np.ndarray) -> str:
    """Return what to type for crops that suit most images."""
    median = np.median(sizes, axis=0).astype(int).tolist()
    height, width = (
        min(side, usual // 32 * 32 or usual) for side, usual in zip(crop, median, strict=True)
    )
    if padding((height, width), sizes) >= padding(crop, sizes):
        return "Resize the images to one size with data.size=[height,width]."
    return f"Use data.crop=[{height},{width}]."


def check_workers(workers: int | str, images: Mapping[str, int]) -> Iterator[str]:
    """Yield a note where more loading processes are asked for than a split has images.

    Args:
        workers: see `SegmentationData`.
        images: of each split.
    """
    few = {split: count for split, count in images.items() if isinstance(workers, int)}
    few = {split: count for split, count in few.items() if count < int(workers)}
    if few:
        counts = ", ".join(f"{count} in {split}" for split, count in few.items())
        yield (
            f"data.workers={workers} is more than the images of a split ({counts}): only as many "
            "processes are started there."
        )


def check_epoch(trainer: Mapping[str, Any], train_batches: int, val_batches: int) -> None:
    """Check that the trainer's limits leave batches in an epoch, and a score of val.

    Args:
        trainer: Lightning's options.
        train_batches, val_batches: of an epoch, of one rank; a part counts as a batch.

    Raises:
        ConfigError: an epoch without a batch, or one that ends before val is scored.
    """
    splits = {"train": train_batches, "val": val_batches}
    for split, batches in splits.items():
        key = "overfit_batches" if trainer.get("overfit_batches") else f"limit_{split}_batches"
        limit = trainer.get(key)
        splits[split] = _limited(batches, limit)
        if batches and not splits[split]:
            raise ConfigError(
                f"trainer.{key}={limit} leaves no batch of {split}, which has {batches}. "
                f"Use trainer.{key}=1 (one batch), or omit it."
            )
    every = trainer.get("val_check_interval")
    if not isinstance(every, int | float | None):
        return  # after a time
    epochs_between = trainer.get("check_val_every_n_epoch", 1)
    counted = epochs_between is not None
    if type(every) is int and every > splits["train"] and counted:
        raise ConfigError(
            f"trainer.val_check_interval={every} is more than the {splits['train']} batches of an "
            "epoch, so val is never scored. Lower it, or also pass "
            "trainer.check_val_every_n_epoch=null, which counts batches over epochs."
        )
    share = 1.0 if every is None else every
    first = share if isinstance(share, int) else max(int(splits["train"] * share), 1)
    if counted:
        first += splits["train"] * (epochs_between - 1)
    _check_scored_once(trainer, splits["train"], first)


def _check_scored_once(trainer: Mapping[str, Any], batches: int, first: int) -> None:
    """Check that a training goes on until val is scored, after its `first` batches."""
    steps, epochs = trainer.get("max_steps", -1), trainer.get("max_epochs")
    accumulated = trainer.get("accumulate_grad_batches", 1)
    if steps >= 0 and steps * accumulated < first:
        raise ConfigError(
            f"trainer.max_steps={steps} ends the training before val is scored, after "
            f"{math.ceil(first / accumulated)} steps. Raise it, or also pass "
            f"trainer.val_check_interval={max(steps, 1) * accumulated}."
        )
    if epochs is not None and epochs >= 0 and epochs * batches < first:
        raise ConfigError(
            f"trainer.max_epochs={epochs} ends the training before val is scored. Raise it, or "
            "lower trainer.check_val_every_n_epoch or trainer.val_check_interval."
        )


def count_steps(trainer: Mapping[str, Any], train_batches: int) -> float:
    """Return the steps of the optimizer in a training; infinite if only time ends it.

    Args:
        trainer: Lightning's options.
        train_batches: of an epoch, of one rank; a part counts as a batch.
    """
    limit = trainer.get("overfit_batches") or trainer.get("limit_train_batches")
    accumulated = trainer.get("accumulate_grad_batches", 1)
    steps, epochs = trainer.get("max_steps", -1), trainer.get("max_epochs")
    per_epoch = math.ceil(max(_limited(train_batches, limit), 1) / accumulated)
    unlimited = epochs is None or epochs < 0
    total = math.inf if unlimited else per_epoch * epochs
    return min(total, steps) if steps >= 0 else total


def _limited(batches: int, limit: float | None) -> int:
    """Return how many of an epoch's batches remain, as Lightning counts them."""
    if limit is None:
        return batches
    return min(batches, limit) if isinstance(limit, int) else int(batches * limit)


def check_norms(model: Model, batch: TrainingBatch, frozen: bool, sync: bool) -> None:
    """Check that every normalisation gets more than one value of each channel.

    A batch of one image whose deepest features are one pixel has a variance of nothing. The model
    says so itself in a forward pass without values.

    Args:
        model: on the meta device.
        batch: of the training.
        frozen: the encoder never trains, so its batch norm has statistics of its own.
        sync: batch norm is computed over all ranks.

    Raises:
        ConfigError: a normalisation would get one value.
    """
    images = batch.at_once * (batch.ranks if sync else 1)
    model.train()
    model.encoder.train(not frozen)
    current = [""]
    for name, module in model.named_modules():
        module.register_forward_pre_hook(lambda *_, name=name: current.__setitem__(0, name))
    try:
        with torch.no_grad():
            shape = (images, model.encoder.in_channels, *batch.size)
            x = torch.empty(shape, device="meta")
            # not the head of image-level targets: it normalises nothing, and autocasts by device
            model(x) if isinstance(model, UNet) else model.encoder(model.padded(x)[0])
    except ValueError as error:
        if ONE_VALUE not in str(error):
            raise
        raise ConfigError(_one_value(model, batch, current[0])) from error


def _one_value(model: Model, batch: TrainingBatch, layer: str) -> str:
    """Return the message on a layer that would normalise a single value."""
    height, width = batch.size
    ranks = f" for each of {batch.ranks} processes" if batch.ranks > 1 else ""
    deepest = model.encoder.reductions[-1]
    part = "decoder" if layer.startswith("decoder") else "encoder"
    other = "decoder.norm=group" if part == "decoder" else "encoder=convnext_tiny (no batch norm)"
    larger = f"images or crops of more than {deepest} pixels a side (data.size, data.crop)"
    return (
        f"a batch of one image of {height}x{width}{ranks} leaves the {part}'s batch norm one value "
        f"for each channel, of which it can't learn. Use data.batch_size={2 * batch.ranks} or "
        f"more, {larger}, or {other}."
    )
