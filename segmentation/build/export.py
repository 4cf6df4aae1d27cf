"""`export`: from the configuration to a plan of plain values, and what finds the images."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

from omegaconf import DictConfig

from segmentation.build.data import find_dataset
from segmentation.config import user_path
from segmentation.data.cache.cache import open_pairs
from segmentation.data.discovery.scanned_dataset import select_usable
from segmentation.errors import ConfigError, DataError, check_number, did_you_mean
from segmentation.export.formats import FORMATS, check_pair
from segmentation.export.images import ExportImages, scenes
from segmentation.inference.exported.metadata import Head, Precision
from segmentation.models import LoadedModel

TOLERANCES = {"fp32": 0.1, "fp16": 0.1, "int8": 1.0}
"""Points of mIoU that an export may differ from its model, by precision."""


@dataclass(frozen=True)
class ExportPlan:
    """An export as configured; see conf/export.yaml for the meaning of each value.

    Attributes:
        find_images: finds the images that the export of a loaded model is compared on.
    """

    model: str
    format: str
    precision: Precision
    head: Head
    output: Path
    tolerance: float
    find_images: Callable[[LoadedModel], ExportImages]


def read_export(cfg: DictConfig) -> ExportPlan:
    """Return the plan of an export.

    Raises:
        ConfigError: an invalid option, a pair of format and precision that does not exist, or an
            extra that is missing.
    """
    for key, known in (
        ("format", tuple(FORMATS)),
        ("precision", tuple(TOLERANCES)),
        ("head", get_args(Head)),
    ):
        if cfg[key] not in known:
            hint = did_you_mean(str(cfg[key]), known)
            raise ConfigError(f"{key}={cfg[key]}: use {', '.join(known)}.{hint}")
    check_pair(cfg.format, cfg.precision)
    tolerance = TOLERANCES[cfg.precision]
    if cfg.tolerance is not None:
        tolerance = check_number("tolerance", cfg.tolerance, "0 or more", lambda value: value >= 0)
    return ExportPlan(
        model=str(cfg.model),
        format=cfg.format,
        precision=cfg.precision,
        head=cfg.head,
        output=user_path(cfg.output),
        tolerance=tolerance,
        find_images=partial(_find_images, cfg),
    )


def _find_images(cfg: DictConfig, loaded: LoadedModel) -> ExportImages:
    """Return the configured images: a split to compare on, and the training split; or scenes.

    Raises:
        ConfigError, DataError: the data cannot be used as configured.
    """
    data = cfg.data
    if not data.name:
        return scenes(loaded)
    only = [cfg.split, *({"train"} - {cfg.split} if cfg.precision == "int8" else ())]
    found = find_dataset(data, only, channels=loaded.channels)
    source = select_usable(found, data.on_error)
    for split in only:
        if split not in source.samples:
            raise DataError(
                f"the {split} split of {data.root} has no labels: pass split=<another>."
            )
    splits = open_pairs(source, "off")
    pairs = splits[cfg.split]
    return ExportImages(
        names=[sample.name for sample in pairs.samples],
        pairs=pairs,
        calibration=splits[only[-1]],
        classes=source.labels.classes,
        words=f"{len(pairs)} images of {data.name}, {cfg.split}",
        generated=False,
    )
