"""Small runs of the real module that break off anywhere and go on."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import yaml
from conftest import ROOT
from fakes import CLASSES, fake_camvid, pairs_of

from segmentation.data.augment.options import Augmentation
from segmentation.data.datamodule import SegmentationData
from segmentation.data.targets.table import TargetTable
from segmentation.models import Encoder, UNet
from segmentation.targets import TargetColumns
from segmentation.training.callbacks import FiniteLoss
from segmentation.training.checkpoints import (
    AtomicCheckpointIO,
    checkpoint_callbacks,
    newest_checkpoint,
)
from segmentation.training.losses import CrossEntropy, TargetLoss, TaskLoss, WeightedSum, Weighting
from segmentation.training.module import TrainingModule
from segmentation.training.schedules import one_cycle

SEED = 3
COLUMNS = TargetColumns("scene", ("a", "b"), ("x", "y"), (5.0, 0.0), (2.0, 1.0))
ALWAYS = 1e-9
"""Minutes between two checkpoints: one at every step."""


class PowerCutError(Exception):
    """What nothing is prepared for."""


class PowerCut(pl.Callback):
    """Break off at the n-th of the moments of a run, whichever hook it is in."""

    HOOKS = (
        "on_train_start", "on_train_epoch_start", "on_train_batch_start", "on_before_backward",
        "on_before_optimizer_step", "on_train_batch_end", "on_validation_epoch_start",
        "on_validation_batch_end", "on_validation_epoch_end", "on_validation_end",
        "on_save_checkpoint", "on_train_epoch_end",
    )  # fmt: skip

    def __init__(self, moments: float) -> None:
        self.left = moments

    def _count(self, *_: Any) -> None:
        self.left -= 1
        if self.left < 0:
            raise PowerCutError


for hook in PowerCut.HOOKS:
    setattr(PowerCut, hook, PowerCut._count)


def data_of(root: Path) -> Path:
    """Write ten images to train on, and three to score."""
    return fake_camvid(root, {"train": 11, "val": 3}, size=(32, 48))


def strong() -> Augmentation:
    """Return what `augment=strong` is, with CutMix."""
    values = yaml.safe_load((ROOT / "conf" / "augment" / "strong.yaml").read_text())
    del values["defaults"]
    return Augmentation.from_dict({**values, "mix": "cutmix"})


def table(images: int) -> TargetTable:
    """Return image-level targets, some of them missing."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(images, 2)).astype(np.float32)
    values[0] = float("nan")
    return TargetTable(np.arange(images) % 3 - 1, values)


def parts_of(
    root: Path,
    workers: int = 0,
    augment: Augmentation | None = None,
    targets: bool = False,
    fused: bool = False,
    frozen: int = 0,
    seed: int = SEED,
    decoder: dict[str, Any] | None = None,
) -> tuple[TrainingModule, SegmentationData]:
    """Build module and data as a process does when it starts."""
    torch.manual_seed(seed)
    columns = COLUMNS if targets else None
    network = UNet(
        Encoder("test_resnet", weights="none"), 11, columns, channels=(8, 8, 8, 8, 8),
        **(decoder or {"dropout": 0.3, "attention": "scse"}),
    )  # fmt: skip
    segmentation = WeightedSum({"ce": CrossEntropy()}, {"ce": 1.0})
    tasks = dict.fromkeys(("segmentation", "category", "values"), 1.0)
    loss = (
        TaskLoss(segmentation, TargetLoss(COLUMNS), Weighting(tuple(tasks), tasks, "uncertainty"))
        if targets
        else TaskLoss(segmentation)
    )
    module = TrainingModule(
        network,
        CLASSES,
        loss=loss,
        optimizer=partial(torch.optim.AdamW, lr=3e-3, weight_decay=0.01, fused=fused),
        schedule=one_cycle,
        encoder_lr_factor=0.5,
        freeze_encoder_epochs=frozen,
        seed=seed,
    )
    data = SegmentationData(
        {split: pairs_of(root, split) for split in ("train", "val")},
        augment or strong() if not targets else Augmentation(),
        crop=(32, 32),
        batch_size=2,
        workers=workers,
        seed=seed,
        targets={"train": table(11), "val": table(3)} if targets else None,
    )
    return module, data


def fit(
    root: Path,
    directory: Path,
    moments: float = float("inf"),
    minutes: float = ALWAYS,
    callbacks: Callable[[], Sequence[pl.Callback]] = list,
    trainer: dict[str, Any] | None = None,
    logger: Any = False,
    **options: Any,
) -> pl.Trainer:
    """Train from the newest checkpoint there is until the end, or until the power is cut."""
    checkpoint = newest_checkpoint(directory)
    module, data = parts_of(root, **options)
    runner = pl.Trainer(
        accelerator="cpu",
        logger=logger,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=1,
        gradient_clip_val=1.0,
        plugins=[AtomicCheckpointIO()],
        callbacks=[
            PowerCut(moments),
            FiniteLoss(),
            *callbacks(),
            *checkpoint_callbacks(directory, minutes=minutes),
        ],
        **{"max_epochs": 3, **(trainer or {})},
    )
    runner.fit(module, datamodule=data, ckpt_path=checkpoint)
    return runner


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Return where two nested values differ, tensors in any bit."""
    if isinstance(one, torch.Tensor):
        return [] if torch.equal(one, other) and one.dtype == other.dtype else [where]
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return [f"{where}: {sorted(map(str, one.keys() ^ other.keys()))}"]
        return [
            found for key in one for found in differences(one[key], other[key], f"{where}/{key}")
        ]
    if isinstance(one, list | tuple):
        if len(one) != len(other):
            return [f"{where}: {len(one)} and {len(other)}"]
        pairs = enumerate(zip(one, other, strict=True))
        return [found for i, (a, b) in pairs for found in differences(a, b, f"{where}/{i}")]
    return [] if one == other else [f"{where}: {one} and {other}"]


def state(directory: Path) -> dict[str, Any]:
    """Return all that must be the same however a run came about."""
    kept = {}
    for name in ("best.ckpt", "last.ckpt"):
        checkpoint = torch.load(directory / name, weights_only=True)
        kept[name] = checkpoint
    return kept
