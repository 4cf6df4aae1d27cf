"""Callback that prunes a trial of a search while it trains."""

import logging
import math
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from segmentation.errors import ConfigError
from segmentation.sweep.search.trials import TrialFile

log = logging.getLogger(__name__)


class Pruning(pl.Callback):
    """Report the score of every epoch to the trial, and stop if its pruner says so.

    The run then ends like any other: its best weights are evaluated, and `pruned` in its metrics
    is the epoch. The last epoch is never pruned: it would save nothing. While the storage is
    away there is one warning, training goes on, and a later epoch reports all that is missing.
    Epochs that are validated again after a resume keep their first report.

    Args:
        trial: the trial, from the run's directory.
        monitor: the logged score, higher is better.

    Attributes:
        pruned: the last epoch, counted from 1, if training was stopped here; else None.
    """

    def __init__(self, trial: TrialFile, monitor: str) -> None:
        self.pruned: int | None = None
        self._file = trial
        self._monitor = monitor
        self._scores: dict[int, float] = {}
        self._trial: Any = None
        self._warned = False

    @classmethod
    def of_run(cls, directory: Path, monitor: str) -> "Pruning | None":
        """Return the callback of a run whose sweep prunes; None for any other run."""
        trial = TrialFile.read(directory)
        return None if trial is None else cls(trial, monitor)

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a checkpoint keeps."""
        return {"pruned": self.pruned, "scores": dict(self._scores)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.pruned, self._scores = state_dict["pruned"], dict(state_dict["scores"])

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Train no further if the run was pruned, but died before its end."""
        trainer.should_stop = trainer.should_stop or self.pruned is not None

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Report the score; stop on all ranks if the trial is pruned."""
        epoch, score = trainer.current_epoch, trainer.callback_metrics.get(self._monitor)
        if trainer.sanity_checking or score is None or math.isnan(float(score)):
            return
        self._scores.setdefault(epoch, float(score))
        epochs = trainer.max_epochs or -1
        prune = trainer.is_global_zero and self._should_prune(epoch + 1, epochs)
        if trainer.strategy.broadcast(prune):
            self.pruned = epoch + 1
            trainer.should_stop = True
            log.info("stopped after epoch %d: other trials were better by then", epoch + 1)

    def _should_prune(self, epoch: int, epochs: int) -> bool:
        """Report missing epochs; return whether to stop after `epoch`, counted from 1."""
        from optuna.exceptions import OptunaError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            if self._trial is None:
                self._trial = self._file.open()
            known = self._trial.storage.get_trial(self._file.trial).intermediate_values
            for step, score in self._scores.items():
                if step not in known:
                    self._trial.report(score, step)
            return self._file.after * epochs < epoch < epochs and bool(self._trial.should_prune())
        except (OptunaError, SQLAlchemyError, ConfigError, OSError) as error:
            self._trial = None
            if not self._warned:
                log.warning("no pruning for now, training goes on: %s", _first_line(error))
            self._warned = True
            return False


def _first_line(error: BaseException) -> str:
    while error.__cause__ is not None:  # Optuna guesses, the driver knows
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]
