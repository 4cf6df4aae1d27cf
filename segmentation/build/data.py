"""Find the configured data set, and build its datamodule."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from segmentation.build.data_options import (
    batch_size,
    check_data_options,
    data_root,
    fold_of,
    size_of,
)
from segmentation.config import plain, user_path
from segmentation.console import argument
from segmentation.data.annotations.convert import describe_unused, find_annotations, is_chosen
from segmentation.data.augment.options import Augmentation
from segmentation.data.cache.cache import open_pairs
from segmentation.data.datamodule import SegmentationData, auto_crop
from segmentation.data.discovery.class_table import TABLE_FILE
from segmentation.data.discovery.layouts import SPLITS
from segmentation.data.discovery.scanned_dataset import ScannedDataset, scan_dataset
from segmentation.data.discovery.splits import Splits, find_splits
from segmentation.data.discovery.value_range import with_value_range
from segmentation.data.images.channels import Channels
from segmentation.data.images.choose_channels import AUTO, choose_channels, parse_files
from segmentation.data.images.image_format import MAX_PIXELS
from segmentation.data.images.image_reader import ImageReader
from segmentation.data.images.windowed import is_large
from segmentation.data.targets.table import TargetTable
from segmentation.errors import DataError, check_count, check_seed
from segmentation.streets import write_streets

log = logging.getLogger(__name__)


def find_dataset(
    data: DictConfig,
    only: Sequence[str] = SPLITS,
    directory: Path | None = None,
    masks: bool = True,
    channels: Channels | None = None,
) -> ScannedDataset:
    """Find a data set and look at its files; the streets are drawn first if needed.

    Args:
        data: see conf/data.
        only: the splits to use.
        directory: where the class table is written if the data are read-only.
        masks: whether masks are required.
        channels: of a trained model, which images have to have; None: as configured.

    Raises:
        ConfigError, DataError: on invalid user input; bad files are noted in the result.
    """
    root = data_root(data)
    check_data_options(data)
    if "draw" in data:
        draw = data.draw
        seed = check_seed("data.draw.seed", draw.seed)
        write_streets(root, seed, tuple(draw.size), dict(draw.counts))
    annotations = data.get("annotations", AUTO)
    pairs = user_path(data.pairs) if data.pairs else None
    splits = find_splits(
        root,
        pairs,
        data.group,
        data.mask_ending,
        masks,
        fold_of(data),
        partial(_annotations, data) if masks else None,
        is_chosen(annotations),
        parse_files(data.get("bands")),
    )
    if (
        masks
        and not pairs
        and not splits.converted
        and (unused := describe_unused(root, annotations))
    ):
        log.info("%s", unused)
        splits = replace(splits, description=f"{splits.description}; {unused}")
    selected = {split: rows for split, rows in splits.samples.items() if split in only}
    if not selected:
        raise DataError(
            f"no {' or '.join(only)} split in {root} (splits there: {', '.join(splits.samples)})."
        )
    unselected = {split: rows for split, rows in splits.samples.items() if split not in only}
    splits = replace(splits, samples=selected, unselected=unselected)
    reader = _reader(data, splits, channels)
    if data.classes is None and not (root / TABLE_FILE).is_file():
        _check_masks(splits, reader.max_pixels)
    return with_value_range(
        scan_dataset(root, splits, data.classes, data.void, data.unknown, directory, reader)
    )


def _reader(data: DictConfig, splits: Splits, known: Channels | None) -> ImageReader:
    """Return what reads the images: by the channels that are configured, or those of a model.

    Raises:
        ConfigError, DataError: the files do not have the channels, or not those of the model.
    """
    max_pixels = check_count("data.max_pixels", data.get("max_pixels", MAX_PIXELS), 1)
    option, files = data.get("channels"), parse_files(data.get("bands"))
    option = AUTO if option is None else option
    option = list(option) if isinstance(option, ListConfig) else option
    if known is not None and option == AUTO:
        return ImageReader(replace(known, files=files or known.files), max_pixels)
    images = [sample.image for rows in splits.samples.values() for sample in rows]
    channels = choose_channels(option, images, files)
    if known is not None:
        if len(channels) != len(known) or channels.dtype != known.dtype:
            raise DataError(
                f"data.channels={option}: the images have {channels}, and the model takes {known}."
            )
        channels = replace(channels, low=known.low, high=known.high)
    return ImageReader(channels, max_pixels)


def _check_masks(splits: Splits, max_pixels: int) -> None:
    """Check that masks can be read as a whole, which guessing their class table needs.

    Raises:
        DataError: one is too large.
    """
    masks = (sample.mask for rows in splits.samples.values() for sample in rows if sample.mask)
    for mask in masks:
        if is_large(mask, max_pixels):
            raise DataError(
                f"{mask} has more pixels than data.max_pixels={max_pixels}: its class table is not "
                "guessed. Write it (docs/data.md, Classes) and pass data.classes=<yaml>"
            )


def _annotations(data: DictConfig, root: Path) -> Splits | None:
    """Return the samples of annotation files below a folder."""
    found = find_annotations(root, data.get("annotations", AUTO), data.on_error == "skip")
    own = root / TABLE_FILE
    if found and found.table and data.classes is None and own.is_file():
        log.warning(
            "%s is not used: the annotations bring a class table, %s. To use another, pass "
            "%s.", own, found.table, argument("data.classes", own),
        )  # fmt: skip
    return found


def build_data(
    data: DictConfig,
    source: ScannedDataset,
    augment: DictConfig | None,
    seed: int,
    build_cache: bool = True,
    targets: Mapping[str, TargetTable] | None = None,
    parts: int = 1,
) -> SegmentationData:
    """Return the datamodule of a data set; without `augment` training images are not augmented.

    Args:
        data: see conf/data.
        source: the usable part of the data set.
        augment: see conf/augment.
        seed: of the order and the augmentation.
        build_cache: whether data.cache=auto may build a cache, see `open_pairs`.
        targets: the image-level targets of each split; None for none.
        parts: number of parts that a training batch is split into.
    """
    return SegmentationData(
        augment=Augmentation.from_dict(plain(augment)) if augment else None,
        size=size_of(data),
        crop=crop_of(data, source),
        batch_size=batch_size(data),
        workers=data.workers,
        seed=seed,
        skip=data.on_error == "skip",
        targets=targets,
        parts=parts,
        splits=open_pairs(source, data.cache, build_cache),  # last: it may take minutes
    )


def crop_of(data: DictConfig, source: ScannedDataset) -> tuple[int, int] | None:
    """Return the (height, width) of random crops in training; None for none.

    Raises:
        ConfigError: an invalid data.crop or data.size.
    """
    if data.crop != "auto":
        return size_of(data, "crop")
    if data.size is not None or "train" not in source.scans:
        return None
    return auto_crop(source.scans["train"].sizes)
