"""Report files that became unreadable while a run was going on."""

import logging
from typing import Any

import pytorch_lightning as pl
import torch.distributed

log = logging.getLogger(__name__)
SHOWN_FILES = 5


class SkippedFiles(pl.Callback):
    """Collect the files that `data.on_error=skip` skipped after the initial scan; warn at the end.

    Attributes:
        scored: names of the images skipped in the last test; their confusion matrices are zero.
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
        self._reasons.update(batch["failed"].values())

    def on_test_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.scored = set()

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: dict[str, Any],
        *_: Any,
    ) -> None:
        self._reasons.update(batch["failed"].values())
        self.scored.update(batch["failed"])

    def on_validation_batch_end(self, *arguments: Any, **named: Any) -> None:
        self.on_test_batch_end(*arguments, **named)

    def on_test_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Gather from all ranks, and warn."""
        if torch.distributed.is_initialized():
            parts: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(parts, (self.scored, self._reasons))
            self.scored = set().union(*(names for names, _ in parts))
            self._reasons = set().union(*(reasons for _, reasons in parts))
        if self._reasons and trainer.is_global_zero:
            shown = "\n  ".join(sorted(self._reasons)[:SHOWN_FILES])
            message = "%d files became unreadable during the run and were skipped:\n  %s"
            log.warning(message, len(self._reasons), shown)
