"""`predict`: from the configuration to a plan of plain values."""

import glob
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from segmentation.config import plain, user_path
from segmentation.errors import (
    ConfigError,
    DataError,
    check_count,
    check_flag,
    check_number,
    did_you_mean,
)
from segmentation.inference.camera import camera_number
from segmentation.inference.options import InferenceOptions, check_precision
from segmentation.inference.polygon_files import POLYGON_FORMATS
from segmentation.model_files import existing_model, is_of_hub
from segmentation.system.hardware import check_accelerator


@dataclass(frozen=True)
class PredictionPlan:
    """A prediction as configured; see conf/predict.yaml for the meaning of each value."""

    model: str
    input: str
    output: Path
    overlay: bool
    confidence: bool
    polygons: str | None
    polygons_tolerance: float
    overwrite: bool
    device: str
    precision: str
    short_side: int | str | None
    max_pixels: int
    compile: bool
    inference: InferenceOptions


def read_prediction(cfg: DictConfig) -> PredictionPlan:
    """Return the plan of a prediction.

    Raises:
        SegmentationError: an invalid option, or a path that is not there.
    """
    polygons = cfg.polygons
    if polygons is not None and polygons not in POLYGON_FORMATS:
        hint = did_you_mean(str(polygons), POLYGON_FORMATS)
        raise ConfigError(f"polygons={polygons!r}: use {', '.join(POLYGON_FORMATS)} or null.{hint}")
    inference = InferenceOptions.from_dict(plain(cfg))
    plan = PredictionPlan(
        model=cfg.model,
        input=str(cfg.input),
        output=user_path(cfg.output),
        overlay=check_flag("overlay", cfg.overlay),
        confidence=check_flag("confidence", cfg.confidence),
        polygons=polygons,
        polygons_tolerance=check_number(
            "polygons_tolerance", cfg.polygons_tolerance, "0 or more", lambda value: value >= 0
        ),
        overwrite=check_flag("overwrite", cfg.overwrite),
        device=cfg.device,
        precision=check_precision(cfg.precision),
        short_side=cfg.short_side,
        max_pixels=check_count("max_pixels", cfg.max_pixels, 1),
        compile=check_flag("compile", cfg.compile),
        inference=inference,
    )

    # What is on disk or in the machine, after what is typed
    source = user_path(str(cfg.input))
    camera = camera_number(str(cfg.input)) is not None
    if not (camera or source.exists() or glob.has_magic(str(source))):
        raise DataError(f"no file or folder {source}. Give input=<a file or folder of images>.")
    if not is_of_hub(cfg.model):
        existing_model(cfg.model)
    check_accelerator(cfg.device, "device")
    return plan
