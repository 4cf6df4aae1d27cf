"""In how many parts a batch goes through the model, where the device has no memory for a whole."""

import gc
import logging
from pathlib import Path

import torch
from omegaconf import DictConfig

from segmentation.console import argument, typed
from segmentation.data.datamodule import AUTO_BATCH_SIZE
from segmentation.errors import TrainingError
from segmentation.runs.directory import read_environment

log = logging.getLogger(__name__)


def known_parts(directory: Path) -> int:
    """Return in how many parts an earlier start of this run found that a batch has to go."""
    return (read_environment(directory) or {}).get("parts", 1)


def more_parts(cfg: DictConfig, directory: Path, parts: int) -> int:
    """Return twice as many parts, after the GPU had no memory for a batch in so many.

    Raises:
        TrainingError: that cannot be, or was not asked for.
    """
    if cfg.data.batch_size != "auto":
        raise TrainingError(
            "the device is out of memory. Type data.batch_size=auto (a batch goes through the "
            "model in as many parts as it takes), or lower data.batch_size, data.size or data.crop."
        )
    if torch.distributed.is_initialized():
        raise TrainingError(
            "the device is out of memory, and data.batch_size=auto works in one process only: the "
            "others cannot start again with it. Set data.batch_size to a number, and "
            "trainer.accumulate_grad_batches above 1."
        )
    if any((directory / "checkpoints").glob("*.ckpt")):
        raise TrainingError(
            "the device ran out of memory in the middle of training, where its batches had fitted "
            f"before: something else may use it. {directory / 'checkpoints'} has the state: go on "
            f"with `{typed('train')} {argument('resume', directory)}`."
        )
    parts *= 2
    if parts > AUTO_BATCH_SIZE:
        raise TrainingError(
            "the device is out of memory with a batch of one image. Lower data.size or data.crop, "
            "or choose a smaller encoder."
        )
    log.warning(
        "the device is out of memory: training starts again with each batch of %d in %d parts of "
        "%d images. Batch norm sees the parts; all else stays.",
        AUTO_BATCH_SIZE, parts, AUTO_BATCH_SIZE // parts,
    )  # fmt: skip
    gc.collect()  # what has failed holds the old model, in circles
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return parts
