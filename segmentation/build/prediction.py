"""`predict`: from the configuration to a plan of plain values."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from segmentation.config import plain, user_path
from segmentation.errors import check_count, check_flag
from segmentation.inference.options import InferenceOptions


@dataclass(frozen=True)
class PredictionPlan:
    """A prediction as configured; see conf/predict.yaml for the meaning of each value."""

    model: str
    input: Path
    output: Path
    overlay: bool
    overwrite: bool
    device: str
    precision: str
    short_side: int | str | None
    max_pixels: int
    inference: InferenceOptions


def read_prediction(cfg: DictConfig) -> PredictionPlan:
    """Return the plan of a prediction.

    Raises:
        ConfigError: an invalid option.
    """
    return PredictionPlan(
        model=cfg.model,
        input=user_path(cfg.input),
        output=user_path(cfg.output),
        overlay=check_flag("overlay", cfg.overlay),
        overwrite=check_flag("overwrite", cfg.overwrite),
        device=cfg.device,
        precision=cfg.precision,
        short_side=cfg.short_side,
        max_pixels=check_count("max_pixels", cfg.max_pixels, 1),
        inference=InferenceOptions.from_dict(plain(cfg)),
    )
