"""Files that could not be read any more while a run went on, and were left out."""

import logging
from typing import Any

import pytorch_lightning as pl
import torch.distributed

log = logging.getLogger(__name__)
SHOWN = 5


class SkippedFiles(pl.Callback):
    """Collect what `data.on_error=skip` leaves out after the first look, and say it at the end.

    Attributes:
        scored: the names that were left out of the last pass over a split; their confusion
            matrices are zero.
    """

    def __init__(self) -> None:
        self.scored: set[str] = set()
        self._reasons: set[str] = set()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: dict[str, Any],
        batch_idx: int,
    ) -> None:
        """Note the failures of a training batch."""
        self._reasons.update(batch["failed"].values())

    def on_test_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Forget the pass before."""
        self.scored = set()

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: dict[str, Any],
        *_: Any,
    ) -> None:
        """Note the failures of a scored batch."""
        self._reasons.update(batch["failed"].values())
        self.scored.update(batch["failed"])

    def on_validation_batch_end(self, *arguments: Any, **named: Any) -> None:
        """Note the failures of a batch of validation."""
        self.on_test_batch_end(*arguments, **named)

    def on_test_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Gather from all ranks, and warn."""
        if torch.distributed.is_initialized():
            parts: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(parts, (self.scored, self._reasons))
            self.scored = set().union(*(names for names, _ in parts))
            self._reasons = set().union(*(reasons for _, reasons in parts))
        if self._reasons and trainer.is_global_zero:
            shown = "\n  ".join(sorted(self._reasons)[:SHOWN])
            log.warning(
                "%d files could not be read any more while the run went on, and were left out:"
                "\n  %s",
                len(self._reasons), shown,
            )  # fmt: skip
