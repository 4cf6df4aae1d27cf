"""Configurations that earlier versions saved, brought to today's names.

The one place that knows what was renamed: all that reads a saved configuration goes through here.
"""

from collections.abc import Mapping
from typing import Any

TARGET = "_target_"

MOVED = {
    "segmentation.training.loggers.WandbLogger": "segmentation.loggers.wandb_logger.WandbLogger",
    "segmentation.training.local_loggers.tensorboard": (
        "segmentation.loggers.tensorboard_logger.tensorboard"
    ),
    "segmentation.training.local_loggers.mlflow": "segmentation.loggers.mlflow_logger.mlflow",
    "segmentation.training.averaging.MeanOfLast": (
        "segmentation.training.weight_averaging.MeanOfLast"
    ),
}
"""Earlier values of `_target_` and their successors."""

ADDED = {"annotations": "off"}
"""Options of data/ that earlier versions lacked, with the value that does what they did."""


def updated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a saved configuration as today's version would have saved it."""
    result: dict[str, Any] = _with_moved_targets(settings)
    data = result.get("data")
    if isinstance(data, dict):
        cache = {"cache": "disk"} if data.get("cache") == "ram" else {}  # the page cache does that
        result["data"] = {**ADDED, **data, **cache}
    return result


def _with_moved_targets(value: Any) -> Any:
    if isinstance(value, Mapping):
        values = {key: _with_moved_targets(child) for key, child in value.items()}
        target = values.get(TARGET)
        return values | {TARGET: MOVED.get(target, target)} if isinstance(target, str) else values
    if isinstance(value, list):
        return [_with_moved_targets(child) for child in value]
    return value
