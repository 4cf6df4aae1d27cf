"""Show one progress bar for the whole run: epoch, loss, score, images/s and time left."""

import sys
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from segmentation.console import PlainConsole
from segmentation.training.callbacks import at_log_interval

METRICS = {
    "train/loss_step": "loss {:.3f}",
    "val/miou": "val mIoU {:.1%}",
    "val/macro_f1": "val macro F1 {:.1%}",
    "val/ccc": "val CCC {:.3f}",
    "train/images_per_s": "{:.1f} images/s",
}
"""Logged metrics that are shown, with their formats."""


class RunProgressBar(ProgressBar):
    """Show training as one bar on a terminal, and as one line for each epoch in a log file.

    Metrics are read at the logging interval only: reading one waits for the device.
    """

    def __init__(self) -> None:
        super().__init__()
        self._console = PlainConsole(stderr=True)
        self._bar: Progress | None = None
        self._enabled = True

    def disable(self) -> None:
        """Show nothing: Lightning calls this on every rank but the first."""
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print above the bar."""
        self._console.print(*args)

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._open(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[metrics]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            total=trainer.estimated_stepping_batches * trainer.accumulate_grad_batches,
            epoch=_epoch(trainer),
            metrics="",
        )

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any
    ) -> None:
        self._advance()
        if at_log_interval(trainer):
            self._update(trainer)

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self._bar is not None:
            self._bar.update(self._task, metrics=f"{_metrics(trainer)} · scoring val")

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._update(trainer)
        if self._bar is None and self._enabled:
            line = f"epoch {_epoch(trainer)} · {_metrics(trainer)}"
            self._console.print(line, soft_wrap=True, style="")

    def on_test_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._open(
            TextColumn("scoring"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            total=sum(trainer.num_test_batches),
        )

    def on_test_batch_end(self, *args: Any) -> None:
        self._advance()

    def on_test_end(self, *args: Any) -> None:
        self._close()

    def on_train_end(self, *args: Any) -> None:
        self._close()

    def on_exception(self, *args: Any) -> None:
        self._close()  # so that the error is printed below the bar

    def _open(self, *columns: ProgressColumn, total: float, **fields: Any) -> None:
        if self._enabled and sys.stderr.isatty():
            self._bar = Progress(*columns, console=self._console, refresh_per_second=4)
            self._bar.start()
            self._task = self._bar.add_task("", total=total, **fields)

    def _advance(self) -> None:
        if self._bar is not None:
            self._bar.advance(self._task)

    def _update(self, trainer: pl.Trainer) -> None:
        if self._bar is not None:
            self._bar.update(self._task, epoch=_epoch(trainer), metrics=_metrics(trainer))

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _epoch(trainer: pl.Trainer) -> str:
    last = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else "?"
    return f"{trainer.current_epoch + 1}/{last}"


def _metrics(trainer: pl.Trainer) -> str:
    logged = trainer.callback_metrics
    return " · ".join(
        text.format(float(logged[key])) for key, text in METRICS.items() if key in logged
    )
