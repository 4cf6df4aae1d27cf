"""Split a batch into parts where the device has no memory for a whole one."""

import gc
import logging
from pathlib import Path

import torch

from segmentation.console import argument, typed
from segmentation.data.options import AUTO_BATCH_SIZE
from segmentation.errors import TrainingError
from segmentation.runs.directory import read_environment

log = logging.getLogger(__name__)


def known_parts(directory: Path) -> int:
    """Return the number of parts that an earlier start of this run split its batches into."""
    return (read_environment(directory) or {}).get("parts", 1)


def more_parts(may_split: bool, directory: Path, parts: int) -> int:
    """Double the parts of a batch, after the GPU was out of memory.

    Args:
        may_split: `data.batch_size=auto`.
        directory: of the run.
        parts: that did not fit.

    Raises:
        TrainingError: a batch can't be split, or not further.
    """
    if not may_split:
        raise TrainingError(
            "the device is out of memory. Type data.batch_size=auto (a batch goes through the "
            "model in as many parts as needed), or lower data.batch_size, data.size or data.crop."
        )
    if torch.distributed.is_initialized():
        raise TrainingError(
            "the device is out of memory, and data.batch_size=auto works in one process only. Set "
            "data.batch_size to a number, and trainer.accumulate_grad_batches above 1."
        )
    if any((directory / "checkpoints").glob("*.ckpt")):
        raise TrainingError(
            "the device ran out of memory in the middle of training, where its batches had fitted "
            f"before: another program may use it. Resume from {directory / 'checkpoints'}: "
            f"`{typed('train')} {argument('resume', directory)}`."
        )
    parts *= 2
    if parts > AUTO_BATCH_SIZE:
        raise TrainingError(
            "the device is out of memory with a batch of one image. Lower data.size or data.crop, "
            "or choose a smaller encoder."
        )
    log.warning(
        "the device is out of memory: training restarts with each batch of %d in %d parts of %d "
        "images. Batch norm sees the parts; everything else stays the same.",
        AUTO_BATCH_SIZE,
        parts,
        AUTO_BATCH_SIZE // parts,
    )
    gc.collect()  # the failed attempt holds its model in reference cycles
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return parts
