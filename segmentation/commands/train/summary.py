"""The start-up summary of a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from torch import nn

from segmentation.build.training import TrainingPlan
from segmentation.build.training_data import TrainingData
from segmentation.data.cache.cache import describe_cache
from segmentation.data.datamodule import SegmentationData
from segmentation.models import Model, UNet
from segmentation.models.cost import count_parameters
from segmentation.system.hardware import device_name
from segmentation.targets import TargetColumns


def summary(
    plan: TrainingPlan,
    data: TrainingData,
    model: Model,
    trainer: pl.Trainer,
    checkpoint: Path | None = None,
) -> dict[str, str]:
    """Return the start-up summary as names and values.

    Args:
        plan, data, model, trainer: of the run.
        checkpoint: that a resumed run continues from; None for a new one.
    """
    options, source = plan.settings, data.source
    names = source.labels.classes.names
    classes = "none: nothing is segmented (task.segmentation=false)"
    if isinstance(model, UNet):
        classes = f"{len(names)} ({', '.join(names)}); {source.table}"
    lines = {
        "data": _data(plan.settings["data"], data),
        "channels": str(source.reader.channels),
        "found": source.splits.description,
        "cache": describe_cache([dataset.pairs for dataset in data.loaders.datasets.values()]),
        "classes": classes,
    }
    if model.target_head:
        lines["targets"] = _targets(model.target_head.columns)
    lines |= {
        "encoder": f"{options['encoder']['name']} · {model.encoder.source}",
        "parameters": f"{_millions(model)} (encoder {_millions(model.encoder)})",
        "optimizer": plan.describe_optimizer(),
        "device": _device(trainer),
        "training": f"{_epochs(options['trainer'], data.loaders, trainer)} · seed {plan.seed}",
        "writes to": str(plan.directory),
    }
    return lines | ({"resumes from": checkpoint.name} if checkpoint else {})


def _data(options: Mapping[str, Any], data: TrainingData) -> str:
    """Return the name, place, number and size of the images."""
    scans, size, crop = data.source.scans, data.loaders.size, data.loaders.crop
    counts = " + ".join(f"{len(scan)} {split}" for split, scan in scans.items())
    sizes = _sizes(np.array([size]) if size else scans["train"].sizes)
    crops = f", crops {crop[0]}x{crop[1]}" if crop else ""
    return f"{options['name']} in {options['root']}: {counts} images, {sizes}{crops}"


def _device(trainer: pl.Trainer) -> str:
    kind = trainer.strategy.root_device.type
    processes = f", {trainer.world_size} processes" if trainer.world_size > 1 else ""
    return f"{device_name(kind)}{processes} · precision {trainer.precision}"


def _epochs(options: Mapping[str, Any], loaders: SegmentationData, trainer: pl.Trainer) -> str:
    """Return the number of epochs and batches, and what limits them."""
    overfit = options.get("overfit_batches")
    batches = overfit or max(len(loaders.train_set) // loaders.batch_size, 1)
    limit = f", at most {options['max_time']}" if options["max_time"] else ""
    note = " (overfitted; val is cut to as many)" if overfit else ""
    epochs = f"{trainer.max_epochs} epoch{'' if trainer.max_epochs == 1 else 's'}"
    if trainer.max_epochs is None or trainer.max_epochs < 0:
        epochs = "epochs"
    if trainer.max_steps >= 0:
        epochs = f"{trainer.max_steps} steps at most, {epochs}"
    return f"{epochs} of {batches} batches of {loaders.batch_size}{limit}{note}"


def _millions(model: nn.Module) -> str:
    return f"{count_parameters(model) / 1e6:.1f} M"


def _targets(columns: TargetColumns) -> str:
    """Return the image-level targets in words."""
    category = f"{columns.category} ({', '.join(columns.categories)})" if columns.category else ""
    return "; ".join(filter(None, (category, ", ".join(columns.values))))


def _sizes(sizes: np.ndarray) -> str:
    """Return heights and widths (n, 2) as HxW, or as the range that they span."""
    low, high = ("x".join(map(str, side)) for side in (sizes.min(axis=0), sizes.max(axis=0)))
    return low if low == high else f"{low} to {high}"
