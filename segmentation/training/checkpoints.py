"""Checkpoints that are whole or not there, and which of them a run goes on from.

best.ckpt      by the run's score on val
last.ckpt      the newest state, from an epoch's end or from within one
previous.ckpt  the one before
"""

import errno
import logging
import os
import time
import zipfile
from pathlib import Path, PureWindowsPath
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint

from segmentation.errors import TrainingError, check_number
from segmentation.system.files import PARTIAL, atomic_file
from segmentation.training.monitor import MIOU
from segmentation.training.resuming import agreed, between_steps

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
MINUTES = 10.0
AWAY = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN, errno.EAGAIN}
"""What a file system says that is away for a while, and may be back by the next checkpoint."""
FOLDER = 0x10
"""The bit that makes a member of a ZIP archive a folder: PyTorch would read nothing from it."""

log = logging.getLogger(__name__)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint beside its place, read it back whole, then move it there.

    Lightning's own swallows a failed write and can leave half a file (full disk, killed process);
    here the file of the name is always a whole one. `last.ckpt` is kept two deep, unless it was
    damaged since.

    Raises:
        TrainingError: the checkpoint cannot be written; where its file system is away for a while,
            that is a warning, and the one before stays.
    """

    def __init__(self) -> None:
        self._written: set[Path] = set()

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any = None
    ) -> None:
        """Save `checkpoint` at `path`, replacing what is there."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as partial:
                with partial.open("wb") as file:
                    torch.save(checkpoint, file)
                    file.flush()
                    os.fsync(file.fileno())
                read_back(partial)
                if path.name == LAST and path.exists() and self._is_whole(path):
                    path.replace(path.with_name(PREVIOUS))
        except (OSError, RuntimeError, zipfile.BadZipFile) as error:
            if isinstance(error, OSError) and error.errno in AWAY:
                log.warning("the checkpoint %s is not written: %s; the next will be", path, error)
                return
            raise TrainingError(
                f"the checkpoint {path} could not be written: {_reason(error)}. Checkpoints from "
                "before are kept. Free some space or choose another place with hydra.run.dir=."
            ) from error
        self._written.add(path)

    def _is_whole(self, path: Path) -> bool:
        """Whether a file is; one of an earlier process is read for that."""
        return path in self._written or damage(path) is None


class BestCheckpoint(ModelCheckpoint):
    """`best.ckpt`, the weights with the highest `monitor`; its run directory may be moved.

    Lightning's own forgets the best score in another directory, and writes absolute paths into
    every checkpoint.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return the state with the names of files in place of their paths."""
        return self._placed(super().state_dict(), "")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state up in this directory."""
        super().load_state_dict(self._placed(state_dict, str(self.dirpath)))
        self.current_score = state_dict["current_score"]

    @staticmethod
    def _placed(state: dict[str, Any], directory: str) -> dict[str, Any]:
        def placed(path: str) -> str:
            return os.path.join(directory, PureWindowsPath(path).name) if path else path

        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        return {
            **state,
            **{key: placed(state[key]) for key in paths},
            "best_k_models": {placed(path): at for path, at in state["best_k_models"].items()},
            "dirpath": directory,
        }


class LastCheckpoint(Checkpoint):
    """`last.ckpt`: the state after every epoch, and every so many minutes within one.

    ModelCheckpoint knows either epochs or minutes, and saves within an epoch before what the step
    logs is written, which would be missing after going on.

    Args:
        directory: of the checkpoints.
        minutes: above 0; since the last save.
    """

    def __init__(self, directory: Path, minutes: float) -> None:
        self.directory = directory
        self.seconds = 60 * check_number(
            "checkpoint_minutes", minutes, "above 0", lambda value: value > 0
        )
        self._since = time.monotonic()
        self._due = False

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock, and remove what a kill has left half-written."""
        self._since, self._due = time.monotonic(), False
        if trainer.is_global_zero:
            for partial in self.directory.glob(f"*.ckpt*{PARTIAL}"):
                partial.unlink()

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save between two steps if it is time."""
        late = time.monotonic() - self._since >= self.seconds
        self._due = self._due or bool(agreed(trainer, int(late)))
        if self._due and between_steps(trainer, batch_idx):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Save at the end of an epoch, after validation and after the best checkpoint."""
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            save_last(trainer, self.directory)
        self._since, self._due = time.monotonic(), False


def checkpoint_callbacks(
    directory: Path, monitor: str = MIOU.key, minutes: float = MINUTES
) -> list[Checkpoint]:
    """Return the two checkpoints of a run: `best.ckpt` by `monitor`, first, and `last.ckpt`.

    Raises:
        ConfigError: `minutes` is not a number above 0.
    """
    best = BestCheckpoint(
        directory,
        filename="best",
        monitor=monitor,
        mode="max",
        save_top_k=1,
        enable_version_counter=False,
    )
    return [best, LastCheckpoint(directory, minutes)]


def save_last(trainer: pl.Trainer, directory: Path) -> None:
    """Write `last.ckpt`, on all ranks, after what was logged before it."""
    for logger in trainer.loggers:
        logger.save()
    trainer.save_checkpoint(directory / LAST)


def newest_checkpoint(directory: Path) -> Path | None:
    """Return the newest whole checkpoint to go on from, None where there is none.

    One that is damaged is said in a warning, and the one before is taken.
    """
    for path in (directory / LAST, directory / PREVIOUS):
        if not path.exists():
            continue
        reason = damage(path)
        if reason is None:
            return path
        before = "the one before is used" if path.name == LAST else "the run starts afresh"
        log.warning("the checkpoint %s is damaged (%s): %s, if there is one", path, reason, before)
    return None


def damage(path: Path) -> str | None:
    """Return what is wrong with a checkpoint file, None if it is whole."""
    try:
        read_back(path)
    except Exception as error:  # what the readers raise depends on which byte is wrong
        return _reason(error) or type(error).__name__
    return None


def read_back(path: Path) -> None:
    """Read every byte of a checkpoint.

    PyTorch's format is a ZIP archive, uncompressed, with a checksum for each tensor. `torch.load`
    does not look at them; it says whether the whole can be loaded without running code.

    Raises:
        Exception: of whatever kind the readers find suitable.
    """
    with zipfile.ZipFile(path) as archive:
        if (wrong := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"bytes of {wrong} have changed")
        for one in archive.infolist():  # the fields that PyTorch goes by and testzip does not
            if one.compress_size != one.file_size or one.external_attr & FOLDER:
                raise zipfile.BadZipFile(f"the size or kind of {one.filename} has changed")
    torch.load(path, weights_only=True, map_location="meta", mmap=True)


def _reason(error: BaseException) -> str:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno:
            full = seen.errno in (errno.ENOSPC, errno.EDQUOT)
            return "the disk is full" if full else (seen.strerror or str(seen))
        seen = seen.__cause__ or seen.__context__
    return (str(error).strip().splitlines() or [""])[0]
