"""One bar for the whole run: epoch, loss, mIoU, images/s and time left."""

import sys
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from segmentation.training.callbacks import at_log_interval


class RunProgressBar(ProgressBar):
    """Show training on a terminal as one bar, and in a log file as one line for each epoch.

    Metrics are read at the logging interval only: reading one waits for the device.
    """

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._enabled = True

    def disable(self) -> None:
        """Be silent: called on every rank but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Show again."""
        self._enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print above the bar."""
        self._console.print(*args)

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Open the bar."""
        if not (self._enabled and sys.stderr.isatty()):
            return
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[metrics]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self._console,
            refresh_per_second=4,
        )
        self._bar.start()
        self._task = self._bar.add_task(
            "train",
            total=trainer.estimated_stepping_batches * trainer.accumulate_grad_batches,
            epoch=self._epoch(trainer),
            metrics="",
        )

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any
    ) -> None:
        """Move the bar."""
        if self._bar is None:
            return
        self._bar.advance(self._task)
        if at_log_interval(trainer):
            self._update(trainer)

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Say that the run is being scored."""
        if self._bar is not None:
            self._bar.update(self._task, metrics=f"{_metrics(trainer)} · scoring val")

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Show the epoch's result, and print it where there is no terminal."""
        if self._bar is not None:
            self._update(trainer)
        elif self._enabled:
            self._console.print(
                f"epoch {self._epoch(trainer)} · {_metrics(trainer)}", soft_wrap=True, style=""
            )

    def on_test_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Open a bar for the scoring of a split."""
        if self._enabled and sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("scoring"),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bar.start()
            self._task = self._bar.add_task("test", total=sum(trainer.num_test_batches))

    def on_test_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any
    ) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def on_test_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Close the bar."""
        self._stop()

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Close the bar."""
        self._stop()

    def on_exception(
        self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Close the bar, so that the error stands below it."""
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _update(self, trainer: pl.Trainer) -> None:
        assert self._bar is not None
        self._bar.update(self._task, epoch=self._epoch(trainer), metrics=_metrics(trainer))

    @staticmethod
    def _epoch(trainer: pl.Trainer) -> str:
        last = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else "?"
        return f"{trainer.current_epoch + 1}/{last}"


SHOWN = {
    "train/loss_step": "loss {:.3f}",
    "val/miou": "val mIoU {:.1%}",
    "val/macro_f1": "val macro F1 {:.1%}",
    "val/ccc": "val CCC {:.3f}",
    "train/images_per_s": "{:.1f} images/s",
}


def _metrics(trainer: pl.Trainer) -> str:
    metrics = trainer.callback_metrics
    return " · ".join(
        text.format(float(metrics[key])) for key, text in SHOWN.items() if key in metrics
    )
