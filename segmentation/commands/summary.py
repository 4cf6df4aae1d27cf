"""What is said before training starts."""

from pathlib import Path

import pytorch_lightning as pl
from omegaconf import DictConfig

from segmentation.data.datamodule import SegmentationData
from segmentation.data.scan import Scan
from segmentation.hardware import device_name
from segmentation.models import UNet


def summary(
    cfg: DictConfig,
    data: SegmentationData,
    scans: dict[str, Scan],
    model: UNet,
    trainer: pl.Trainer,
    directory: Path,
) -> dict[str, str]:
    """Return the lines of the start-up summary by their names."""
    counts = " + ".join(f"{len(found.sizes)} {split}" for split, found in scans.items())
    height, width = data.size or scans["train"].sizes.max(axis=0)
    crops = f", crops {data.crop[0]}x{data.crop[1]}" if data.crop else ""
    parameters = {
        part: sum(p.numel() for p in module.parameters()) / 1e6
        for part, module in (("all", model), ("encoder", model.encoder))
    }
    kind = trainer.strategy.root_device.type
    processes = f", {trainer.world_size} processes" if trainer.world_size > 1 else ""
    overfit = cfg.trainer.get("overfit_batches")
    batches = overfit or max(len(data.train_set) // data.batch_size, 1)
    limit = f", at most {cfg.trainer.max_time}" if cfg.trainer.max_time else ""
    return {
        "data": f"{cfg.data.name} in {cfg.data.root}: {counts} images, {height}x{width}{crops}",
        "classes": f"{len(data.classes)} ({', '.join(data.classes.names)})",
        "encoder": f"{cfg.encoder.name} · {model.encoder.source}",
        "parameters": f"{parameters['all']:.1f} M (encoder {parameters['encoder']:.1f} M)",
        "device": f"{device_name(kind)}{processes} · precision {trainer.precision}",
        "training": (
            f"{trainer.max_epochs} epochs of {batches} batches of {data.batch_size}{limit}"
            f"{' (overfitted; val is cut to as many)' if overfit else ''} · "
            f"seed {cfg.seed}"
        ),
        "writes to": str(directory),
    }
