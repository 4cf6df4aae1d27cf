"""Checkpoints that are whole or not there."""

import errno
import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import ModelCheckpoint

from segmentation.errors import TrainingError
from segmentation.training.monitor import MIOU


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint beside its place, read it back, then move it there.

    Lightning's own swallows a failed write and can leave half a file (full disk, killed process);
    here the file of the name is always a whole one.

    Raises:
        TrainingError: the checkpoint cannot be written.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any = None
    ) -> None:
        """Save `checkpoint` at `path`, replacing what is there."""
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            torch.load(partial, weights_only=True, map_location="meta", mmap=True)
            partial.replace(path)
        except (OSError, RuntimeError) as error:
            raise TrainingError(
                f"the checkpoint {path} could not be written: {_reason(error)}. Checkpoints from "
                "before are kept. Free some space or choose another place with hydra.run.dir=."
            ) from error
        finally:
            partial.unlink(missing_ok=True)


def checkpoint_callbacks(directory: Path, monitor: str = MIOU.key) -> list[ModelCheckpoint]:
    """Return the two checkpoints of a run: `best.ckpt` by `monitor` and `last.ckpt`.

    They are two callbacks because Lightning's `save_last` beside a monitor keeps the last *best*.
    """
    best = ModelCheckpoint(
        directory,
        filename="best",
        monitor=monitor,
        mode="max",
        save_top_k=1,
        enable_version_counter=False,
    )
    last = ModelCheckpoint(
        directory,
        filename="last",
        monitor=None,
        save_top_k=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    return [best, last]


def _reason(error: BaseException) -> str:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno:
            full = seen.errno in (errno.ENOSPC, errno.EDQUOT)
            return "the disk is full" if full else (seen.strerror or str(seen))
        seen = seen.__cause__ or seen.__context__
    return str(error)
