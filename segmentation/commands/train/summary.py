"""What is said before training starts."""

from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from omegaconf import DictConfig

from segmentation.build.module import global_batch
from segmentation.data.cache.cache import describe_cache
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.models import Model, UNet
from segmentation.system.hardware import device_name
from segmentation.targets import TargetColumns
from segmentation.training.optimizer import lr_factor


def summary(
    cfg: DictConfig,
    data: SegmentationData,
    source: ScannedDataset,
    model: Model,
    trainer: pl.Trainer,
    directory: Path,
    checkpoint: Path | None = None,
) -> dict[str, str]:
    """Return the lines of the start-up summary by their names.

    Args:
        checkpoint: what training goes on from; None where it begins.
    """
    counts = " + ".join(f"{len(found)} {split}" for split, found in source.scans.items())
    size = _sizes(np.array([data.size]) if data.size else source.scans["train"].sizes)
    crops = f", crops {data.crop[0]}x{data.crop[1]}" if data.crop else ""
    parameters = {
        part: sum(p.numel() for p in module.parameters()) / 1e6
        for part, module in (("all", model), ("encoder", model.encoder))
    }
    names = source.labels.classes.names
    kind = trainer.strategy.root_device.type
    processes = f", {trainer.world_size} processes" if trainer.world_size > 1 else ""
    overfit = cfg.trainer.get("overfit_batches")
    batches = overfit or max(len(data.train_set) // data.batch_size, 1)
    limit = f", at most {cfg.trainer.max_time}" if cfg.trainer.max_time else ""
    return {
        "data": f"{cfg.data.name} in {cfg.data.root}: {counts} images, {size}{crops}",
        "found": source.splits.description,
        "cache": describe_cache([dataset.pairs for dataset in data.datasets.values()]),
        "classes": f"{len(names)} ({', '.join(names)}); {source.table}"
        if isinstance(model, UNet)
        else "none: nothing is segmented (task.segmentation=false)",
        **({"targets": _targets(model.target_head.columns)} if model.target_head else {}),
        "encoder": f"{cfg.encoder.name} · {model.encoder.source}",
        "parameters": f"{parameters['all']:.1f} M (encoder {parameters['encoder']:.1f} M)",
        "optimizer": _optimizer(cfg),
        "device": f"{device_name(kind)}{processes} · precision {trainer.precision}",
        "training": (
            f"{trainer.max_epochs} epochs of {batches} batches of {data.batch_size}{limit}"
            f"{' (overfitted; val is cut to as many)' if overfit else ''} · "
            f"seed {cfg.seed}"
        ),
        "writes to": str(directory),
        **({"goes on from": checkpoint.name} if checkpoint else {}),
    }


def _optimizer(cfg: DictConfig) -> str:
    """Return the optimizer and its learning rate, and how that follows from the batch."""
    chosen, batch = cfg.optimizer, global_batch(cfg)
    factor = lr_factor(chosen._target_, chosen.get("lr_for_batch"), batch)
    rule = (
        f" ({chosen.lr:g} is for a batch of {chosen.lr_for_batch}; for {batch}, {factor:.3g} times)"
        if factor != 1
        else ""
    )
    return f"{chosen._target_.rpartition('.')[2]}, learning rate {factor * chosen.lr:.3g}{rule}"


def _targets(columns: TargetColumns) -> str:
    """Return the image-level targets in words."""
    category = f"{columns.category} ({', '.join(columns.categories)})" if columns.category else ""
    return "; ".join(filter(None, (category, ", ".join(columns.values))))


def _sizes(sizes: np.ndarray) -> str:
    """Return heights and widths (n, 2) as HxW, or as the range that they span."""
    low, high = ("x".join(map(str, side)) for side in (sizes.min(axis=0), sizes.max(axis=0)))
    return low if low == high else f"{low} to {high}"
