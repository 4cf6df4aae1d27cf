"""Training samples per second of one core, and memory of 1, 2 and 8 loading processes.

    python benchmarks/data_loading.py data=camvid data.root=<camvid> [augment=street ...]
    python benchmarks/data_loading.py           # generated street scenes as large as Cityscapes'

The arguments are those of train.py. This project's training set, with and without its cache,
stands against the `Dataset` that most code bases have: OpenCV reads the files, albumentations does
the rest with the same recipe. Seconds are the process's own CPU time and the rounds alternate in
one process, so that whatever else the machine does touches all alike; the median round counts.
Files are in the system's memory by the first, uncounted round.

Memory (Linux only) is the proportional set size of the main process and its workers after an epoch,
above the main process's before: pages that several share count once. Of it, the decoded images are
the pages of the cache's file.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import hydra
import numpy as np
import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from torch.utils.data import Dataset

from segmentation.build.data import build_data, find_dataset
from segmentation.config import CONF, plain
from segmentation.data.augment.transform import A
from segmentation.data.cache.mapped_pairs import CachedPairs
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.scanned_dataset import select_usable

LARGE = {"train": 12, "val": 2}
PLAIN, NORMALIZED = "plain albumentations Dataset", "the same, with Normalize"
DECODING, CACHED = "cityseg, data.cache=off", "cityseg, data.cache=disk"


class PlainDataset(Dataset):
    """Index masks and images as tutorials read them, augmented by an equivalent recipe.

    Args:
        samples: the files.
        augment: an option of conf/augment.
        crop: height and width of what comes out.
        normalize: normalise on the CPU, as tutorials do and this project leaves to the device.
    """

    def __init__(
        self, samples: Sequence[Sample], augment: dict, crop: tuple[int, int], normalize: bool
    ) -> None:
        self.samples = samples
        low, high = augment["scale"] or (1, 1)
        recipe = [
            getattr(A, name)(**given)
            for one in augment["transforms"]
            for name, given in one.items()
        ]
        self.transform = A.Compose(
            [
                A.RandomScale((low - 1, high - 1), p=1),
                A.PadIfNeeded(*crop, border_mode=cv2.BORDER_CONSTANT, fill_mask=255),
                A.RandomCrop(*crop),
                *recipe,
                *([A.Normalize()] if normalize else []),
                A.ToTensorV2(),
            ],
            strict=True,
        )

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        sample = self.samples[index]
        image = cv2.imread(str(sample.image), cv2.IMREAD_COLOR)
        assert image is not None  # the files have been looked at
        mask = cv2.imread(str(sample.mask), cv2.IMREAD_GRAYSCALE)
        result = self.transform(image=cv2.cvtColor(image, cv2.COLOR_BGR2RGB), mask=mask)
        return result["image"], result["mask"]


def configure(overrides: Sequence[str], **data: Any) -> DictConfig:
    """Return the configuration of train.py, with some values of its data section."""
    given = [*overrides, *(f"data.{key}={value}" for key, value in data.items())]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("train", given)


def load(cfg: DictConfig) -> SegmentationData:
    """Return the data as train.py has them."""
    source = select_usable(find_dataset(cfg.data), cfg.data.on_error)
    return build_data(cfg.data, source, cfg.augment, cfg.seed)


def speed(overrides: Sequence[str], rounds: int, images: int) -> Table:
    """Return samples per second of each way to load."""
    cached, decoding = (load(configure(overrides, cache=mode)) for mode in ("disk", "off"))
    samples = cached.train_set.pairs.samples
    crop = tuple(cached.train_set[0, 0]["mask"].shape)
    augment = plain(configure(overrides).augment)
    bare, normalized = (PlainDataset(samples, augment, crop, flag) for flag in (False, True))
    ways: dict[str, Callable[[int, int], object]] = {
        PLAIN: lambda _, index: bare[index],
        NORMALIZED: lambda _, index: normalized[index],
        DECODING: lambda epoch, index: decoding.train_set[epoch, index],
        CACHED: lambda epoch, index: cached.train_set[epoch, index],
    }
    order = np.random.default_rng(0).permutation(len(samples))[:images].tolist()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for epoch in range(rounds + 1):
        for name, get in ways.items():
            start = time.process_time()
            for index in order:
                get(epoch, index)
            if epoch:  # the first one warms up
                seconds[name].append((time.process_time() - start) / len(order))
    table = Table(title=f"{len(samples)} images, crops {crop[0]}x{crop[1]}", title_justify="left")
    table.add_column("one core")
    for column in ("ms/sample", "samples/s", "ratio"):
        table.add_column(column, justify="right")
    base = statistics.median(seconds[PLAIN])
    for name, times in seconds.items():
        each = statistics.median(times)
        table.add_row(name, f"{each * 1e3:.1f}", f"{1 / each:.0f}", f"{base / each:.1f}x")
    return table


def memory(overrides: Sequence[str]) -> Table:
    """Return what loading an epoch takes, each measured in a process of its own."""
    table = Table(title="memory in MB", title_justify="left")
    for column in ("workers", "decoded images", "all else, cache", "all else, no cache"):
        table.add_column(column, justify="right")
    for workers in (1, 2, 8):
        on, off = (
            json.loads(
                subprocess.run(
                    [sys.executable, __file__, "--measure", mode, str(workers), *overrides],
                    check=True, stdout=subprocess.PIPE, text=True,
                ).stdout.splitlines()[-1]
            )
            for mode in ("disk", "off")
        )  # fmt: skip
        cells = (on["images"], on["all"] - on["images"], off["all"])
        table.add_row(str(workers), *(f"{value / 1e6:.0f}" for value in cells))
    return table


def measure(mode: str, workers: int, overrides: Sequence[str]) -> None:
    """Load an epoch and print, as JSON, the bytes that it takes."""
    warnings.filterwarnings("ignore", message="This DataLoader will create")  # more than cores
    data = load(configure(overrides, cache=mode, workers=workers))
    pairs = data.train_set.pairs
    before, _ = resident(os.getpid(), None)
    loader = data.train_dataloader()
    for _ in loader:
        pass
    # The workers are still there: they are kept for the next epoch.
    processes = [os.getpid(), *(worker.pid for worker in multiprocessing.active_children())]
    path = pairs.path if isinstance(pairs, CachedPairs) else None
    sums = np.sum([resident(process, path) for process in processes], axis=0)
    print(json.dumps({"all": int(sums[0]) - before, "images": int(sums[1])}))


def resident(process: int | None, path: Path | None) -> tuple[int, int]:
    """Return the proportional set size of a process in bytes, and the part that is one file's."""
    everything = of_file = 0
    inside = False
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        key, *values = line.split()
        if key == "Pss:":
            everything += 1024 * int(values[0])
            of_file += 1024 * int(values[0]) * inside
        elif not key.endswith(":"):
            inside = line.endswith(str(path))
    return everything, of_file


def report(overrides: Sequence[str], rounds: int, images: int) -> None:
    """Print both tables."""
    console = Console()
    console.print(speed(overrides, rounds, images))
    if sys.platform == "linux":
        console.print(memory(overrides))


def main() -> None:
    """Measure the data that the command line names, or generated ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", help="as of train.py")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=100, help="in a round")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_intermixed_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    overrides, rounds, images = arguments.overrides, arguments.rounds, arguments.images
    if arguments.measure:
        mode, workers = arguments.measure
        measure(mode, int(workers), overrides)
    elif overrides:
        report(overrides, rounds, images)
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CACHE_HOME"] = folder  # they will not come again
            counts = ",".join(f"{split}:{count}" for split, count in LARGE.items())
            drawn = [f"data.draw.counts={{{counts}}}", "data.draw.size=[1024,2048]"]
            report([f"data.root={folder}/streets", *drawn, "data.crop=[512,1024]"], rounds, images)


if __name__ == "__main__":
    main()
