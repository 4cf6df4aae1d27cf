"""Configurations that earlier versions saved, brought to today's names.

The one place that knows what was renamed: all that reads a saved configuration goes through here.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

from segmentation.config import value_at
from segmentation.system.plain_data import MAX_AREA, check_plain

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

ADDED: dict[str, dict[str, Any]] = {"data": {"annotations": "off"}, "trainer": {"compile": False}}
"""Options that earlier versions lacked, with the value that does what they did."""

MOST = {
    "data.workers": 1024,
    "data.batch_size": 2**16,
    "data.folds": 1000,
    "data.max_pixels": 2**32,
    "data.draw.counts.train": 10**6,
    "data.draw.counts.val": 10**6,
    "data.draw.counts.test": 10**6,
    "trainer.devices": 1024,
    "trainer.num_nodes": 1024,
}
"""The largest values of options that a machine pays for."""
SIZES = ("data.size", "data.crop", "data.draw.size")


def check_settings(settings: Any) -> None:
    """Check that a saved configuration is plain data, and asks for no more than a run can need.

    Args:
        settings: what a file holds, which may be a stranger's.

    Raises:
        ValueError: it is not; the message names the key.
    """
    check_plain(settings)
    for key, most in MOST.items():
        value = value_at(settings, key)
        if isinstance(value, int) and value > most:
            raise ValueError(f"{key} is {value}, which is more than {most}")
    for key in SIZES:
        value = value_at(settings, key)
        sides = value if isinstance(value, list | tuple) else []
        if all(isinstance(side, int) for side in sides) and prod(sides) > MAX_AREA:
            raise ValueError(f"{key} is {value}, which is more than {MAX_AREA:,} pixels")


def updated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a saved configuration as today's version would have saved it."""
    result: dict[str, Any] = _with_moved_targets(settings)
    for section, options in ADDED.items():
        if isinstance(result.get(section), dict):
            result[section] = {**options, **result[section]}
    data = result.get("data")
    if isinstance(data, dict) and data.get("cache") == "ram":
        data["cache"] = "disk"  # the page cache does that
    return result


def _with_moved_targets(value: Any) -> Any:
    if isinstance(value, Mapping):
        values = {key: _with_moved_targets(child) for key, child in value.items()}
        target = values.get(TARGET)
        return values | {TARGET: MOVED.get(target, target)} if isinstance(target, str) else values
    if isinstance(value, list):
        return [_with_moved_targets(child) for child in value]
    return value
