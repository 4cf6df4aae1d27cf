"""The loaders of a run's splits."""

import os
import signal
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from segmentation.data.augment.options import Augmentation
from segmentation.data.augment.window import Size
from segmentation.data.dataset import SegmentationDataset, TrainDataset, collate
from segmentation.data.discovery.pairs import Pairs
from segmentation.data.sampler import EpochSampler, RankSampler
from segmentation.data.targets.table import TargetTable
from segmentation.errors import ConfigError, check_count
from segmentation.system.hardware import available_cores

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
"""What people and clusters end a job with."""
WORKER_GRACE = 10.0
"""Seconds a loading process goes on after SIGTERM."""

LARGEST = 512
"""The longest side of a crop that is chosen by itself, in pixels."""


class SegmentationData(pl.LightningDataModule):
    """The splits of one data set as loaders of batches (see `collate`).

    Args:
        splits: the pairs of each split that is there: train, val, test.
        augment: how training samples are made.
        size: (height, width) that images are resized to before the model, in training and in
            scoring; None: their own. Scores are at the labels' own resolution either way.
        crop: (height, width) of random crops in training; None: no crops.
        batch_size: the global batch, shared out evenly among all ranks.
        workers: processes that load, for each rank; ``"auto"``: as many as cores allow, at most 8.
        seed: order and augmentation follow from it.
        skip: files that cannot be read while the run goes on are left out, see
            `SegmentationDataset`; else they stop it.
        targets: the image-level targets of each split; none by default.
        parts: a training batch comes in so many equal parts, whose gradients are accumulated.

    Raises:
        ConfigError: a batch that is smaller than one image or does not divide among the ranks.
    """

    def __init__(
        self,
        splits: Mapping[str, Pairs],
        augment: Augmentation | None = None,
        size: Size | None = None,
        crop: Size | None = None,
        batch_size: int = 8,
        workers: int | str = "auto",
        seed: int = 0,
        skip: bool = False,
        targets: Mapping[str, TargetTable] | None = None,
        parts: int = 1,
    ) -> None:
        super().__init__()
        check_count("data.batch_size", batch_size, 1)
        if workers != "auto":
            check_count("data.workers", workers, 0)
        self.batch_size = batch_size
        self.parts = parts
        self.workers = workers
        self.seed = seed
        self._place = (0, 0)
        self.size, self.crop = size, crop
        self.datasets: dict[str, SegmentationDataset] = {
            split: SegmentationDataset(pairs, size, skip, (targets or {}).get(split))
            for split, pairs in splits.items()
        }
        if "train" in splits:
            augment = augment or Augmentation()
            self.train_set = TrainDataset(
                splits["train"],
                augment.transform(size, crop, splits["train"].reader.channels),
                seed,
                skip,
                augment.mixing(targets=bool(targets)),
                (targets or {}).get("train"),
            )

    def begin_at(self, epoch: int, batches: int) -> None:
        """Say which batch of training comes first; before the loader is asked for.

        Its workers start to load at once, so that afterwards is too late.

        Args:
            epoch: counted from 0.
            batches: so many of that epoch a rank has had already.
        """
        self._place = (epoch, batches)

    def train_dataloader(self) -> DataLoader:
        """Batches of augmented samples, in an order that (seed, epoch) gives."""
        rank, ranks = self._ranks()
        size = self._rank_batch(ranks) // self.parts
        epoch, batches = self._place
        if self.trainer and self.trainer.current_epoch > epoch:  # asked for again, by Lightning
            epoch, batches = self.trainer.current_epoch, 0
        sampler = EpochSampler(
            len(self.train_set), self.batch_size, self.seed, rank, ranks, epoch, batches * size
        )
        return self._loader(self.train_set, sampler, size)

    def val_dataloader(self) -> DataLoader:
        """The val split, for scoring."""
        return self.scoring_dataloader("val")

    def test_dataloader(self) -> DataLoader:
        """The test split, for scoring."""
        return self.scoring_dataloader("test")

    def scoring_dataloader(self, split: str) -> DataLoader:
        """Batches of one split in order: images as the model sees them, masks as they are."""
        rank, ranks = self._ranks()
        dataset = self.datasets[split]
        return self._loader(
            dataset,
            RankSampler(len(dataset), rank, ranks),
            max(1, self._rank_batch(ranks) // self.parts),
        )

    def _ranks(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _rank_batch(self, ranks: int) -> int:
        if self.batch_size % ranks:
            raise ConfigError(
                f"data.batch_size={self.batch_size} is the global batch and does not divide among "
                f"{ranks} processes: use a multiple of {ranks}."
            )
        return self.batch_size // ranks

    def _loader(self, dataset: Any, sampler: Any, batch_size: int) -> DataLoader:
        trainer = self.trainer
        on_cpu = trainer is None or trainer.strategy.root_device.type == "cpu"
        on_gpu = trainer is not None and trainer.strategy.root_device.type == "cuda"
        workers = self.workers
        if not isinstance(workers, int):
            workers = auto_workers(on_cpu, trainer.num_devices if trainer else 1)
        workers = min(workers, len(dataset))
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            collate_fn=collate,
            pin_memory=on_gpu,
            persistent_workers=workers > 0 and dataset is getattr(self, "train_set", None),
            worker_init_fn=_prepare_worker,
        )


def check_sizes(sizes: np.ndarray, size: Size | None, crop: Size | None) -> None:
    """Check that training images can share a batch.

    Args:
        sizes: (images, 2), their heights and widths on disk, see `Scan`.
        size, crop: see `SegmentationData`.

    Raises:
        ConfigError: they differ and neither `size` nor `crop` makes them alike, or `crop` is larger
            than `size`.
    """
    if size and crop and (crop[0] > size[0] or crop[1] > size[1]):
        raise ConfigError(
            f"data.crop={list(crop)} is larger than data.size={list(size)}: images would be "
            "padded with void. Type data.crop=null, or a smaller one."
        )
    if size or crop or len(np.unique(sizes, axis=0)) == 1:
        return
    low, high = sizes.min(axis=0), sizes.max(axis=0)
    raise ConfigError(
        f"the training images have different sizes, {low[0]}x{low[1]} to {high[0]}x{high[1]}, "
        "and cannot share a batch. Set data.crop=auto or [height,width] (random crops), or "
        "data.size=[height,width] (resized)."
    )


def auto_crop(sizes: np.ndarray) -> Size | None:
    """Return the crop for images that do not share one size of at most `LARGEST`; else None.

    Args:
        sizes: (images, 2), heights and widths.

    Returns:
        Their median height and width, at most `LARGEST`, as multiples of 32 where they are longer.
    """
    if len(np.unique(sizes, axis=0)) == 1 and sizes.max() <= LARGEST:
        return None
    height, width = (min(int(side), LARGEST) for side in np.median(sizes, axis=0))
    return height // 32 * 32 or height, width // 32 * 32 or width


def auto_workers(on_cpu: bool, ranks_here: int) -> int:
    """Return how many loading processes one rank starts: at most 8, and its share of the cores.

    Where the CPU trains as well, a quarter of that: the step needs the cores itself, and a step on
    a CPU takes far longer than its images take to load.
    """
    share = available_cores() // ranks_here
    return max(1, min(8, share // 4 if on_cpu else share))


def _prepare_worker(worker: int) -> None:
    """Keep a worker to one core, and give its parent time to end the batch that is under way.

    A signal on which the parent saves its state reaches the workers too (Ctrl-C in a terminal, a
    cluster that stops a job). On SIGTERM a worker leaves a little later, as an interpreter that
    exits waits for those that it has told to.
    """
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    for name in STOP_SIGNALS:
        if number := getattr(signal, name, None):  # Windows has not all
            signal.signal(number, _leave_later if name == "SIGTERM" else signal.SIG_IGN)


def _leave_later(number: int, frame: FrameType | None) -> None:
    timer = threading.Timer(WORKER_GRACE, os._exit, (0,))
    timer.daemon = True
    timer.start()
