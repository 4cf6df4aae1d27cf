"""`check` and `preview`: from the configuration to plans that find the data."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig
from PIL import Image

from segmentation.build.data_options import check_data, data_root
from segmentation.build.task_options import check_task
from segmentation.config import user_path
from segmentation.errors import ConfigError, check_count, check_seed

MOST_TILES = 100
"""Most rows or columns of a preview, which is one picture."""

if TYPE_CHECKING:  # invalid options are told before torch is imported
    from segmentation.build.expected_training import ExpectedTraining
    from segmentation.data.datamodule import SegmentationData
    from segmentation.data.discovery.scanned_dataset import ScannedDataset


@dataclass(frozen=True)
class CheckPlan:
    """A check of a data set as configured.

    Attributes:
        name, root: of the data set.
        output: directory of the results.
        skips: whether training skips unreadable files (`data.on_error=skip`).
        segments: whether masks are learnt.
        convert: folder that the plain layout is written to; None for none.
        find_dataset: finds the data and looks at every file.
        expect_training: works out what a training would make of the data.
        write_plain: writes the usable part of the data in the plain layout into a folder, and
            returns the number of images.
    """

    name: str
    root: Path
    output: Path
    skips: bool
    segments: bool
    convert: Path | None
    find_dataset: Callable[[], "ScannedDataset"]
    expect_training: Callable[["ScannedDataset"], "ExpectedTraining"]
    write_plain: Callable[["ScannedDataset", Path], int]


@dataclass(frozen=True)
class PreviewPlan:
    """A preview of an augmentation as configured.

    Attributes:
        output: file of the picture.
        images, draws: number of rows and of augmented columns.
        find_data: finds the training images, and builds the datamodule that augments them.
    """

    output: Path
    images: int
    draws: int
    find_data: Callable[[], "tuple[ScannedDataset, SegmentationData]"]


def read_check(cfg: DictConfig) -> CheckPlan:
    """Return the plan of a check.

    Raises:
        ConfigError: an invalid option.
    """
    check_data(cfg.data)
    check_task(cfg.task)
    output, skips = user_path(cfg.output), cfg.data.on_error == "skip"
    segments = cfg.task.segmentation
    return CheckPlan(
        name=cfg.data.name,
        root=data_root(cfg.data),
        output=output,
        skips=skips,
        segments=segments,
        convert=user_path(cfg.convert) if cfg.convert else None,
        find_dataset=partial(_find_dataset, cfg.data, directory=output, masks=segments),
        expect_training=partial(_expect_training, cfg),
        write_plain=partial(_write_plain, cfg.data),
    )


def read_preview(cfg: DictConfig) -> PreviewPlan:
    """Return the plan of a preview.

    Raises:
        ConfigError: an invalid option.
    """
    output = user_path(cfg.output)
    if output.suffix.lower() not in Image.registered_extensions():
        raise ConfigError(f"output={cfg.output}: give the picture a suffix such as .png or .jpg.")
    images, draws = check_count("images", cfg.images, 1), check_count("draws", cfg.draws, 1)
    for name, count in (("images", images), ("draws", draws)):
        if count > MOST_TILES:
            raise ConfigError(f"{name}={count}: expected at most {MOST_TILES}.")
    check_seed("seed", cfg.seed)
    check_data(cfg.data)
    return PreviewPlan(output, images, draws, partial(_find_augmented, cfg))


def _find_dataset(*arguments: Any, **options: Any) -> "ScannedDataset":
    from segmentation.build.data import find_dataset

    return find_dataset(*arguments, **options)


def _expect_training(*arguments: Any) -> "ExpectedTraining":
    from segmentation.build.expected_training import expect_training

    return expect_training(*arguments)


def _write_plain(data: DictConfig, source: "ScannedDataset", folder: Path) -> int:
    """Write the usable part of the data in the plain layout, and return the number of images.

    Raises:
        DataError: bad files that are not skipped, or a folder that cannot be written.
    """
    from segmentation.data.annotations.plain_layout import write_plain
    from segmentation.data.discovery.scanned_dataset import select_usable

    return write_plain(select_usable(source, data.on_error), folder, data_root(data))


def _find_augmented(cfg: DictConfig) -> "tuple[ScannedDataset, SegmentationData]":
    """Find the training images, and build the datamodule that augments them."""
    from segmentation.build.data import build_data, find_dataset
    from segmentation.data.datamodule import check_sizes
    from segmentation.data.discovery.scanned_dataset import select_usable

    source = select_usable(find_dataset(cfg.data, only=["train"]), cfg.data.on_error)
    data = build_data(cfg.data, source, cfg.augment, cfg.seed, build_cache=False)
    check_sizes(source.scans["train"].sizes, data.size, data.crop)
    return source, data
