"""Stopping a trial of a search that has no hope."""

import logging
import math
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from segmentation.errors import ConfigError
from segmentation.sweep.search.trials import TrialFile

log = logging.getLogger(__name__)


class Pruning(pl.Callback):
    """Report the score of every epoch to the trial, and stop where its pruner says so.

    The run then ends as any other: its best weights are scored, and it says after which epoch it
    was stopped (`pruned`). Not in the last epoch: there is nothing left to save. What could not be
    reported (the storage is away) is reported with the next epoch; that is one warning, and
    training goes on. Epochs that are validated again after a resume keep their first report.

    Args:
        trial: what the sweep wrote into the run's directory.
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
        """Return the callback of a run whose sweep prunes; None of any other run."""
        trial = TrialFile.read(directory)
        return None if trial is None else cls(trial, monitor)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"pruned": self.pruned, "scores": dict(self._scores)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what a checkpoint holds."""
        self.pruned, self._scores = state_dict["pruned"], dict(state_dict["scores"])

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Train no further where the run was stopped, and then died before its end."""
        trainer.should_stop = trainer.should_stop or self.pruned is not None

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Report, ask, and stop on all ranks alike."""
        epoch, score = trainer.current_epoch, trainer.callback_metrics.get(self._monitor)
        if trainer.sanity_checking or score is None or math.isnan(float(score)):
            return
        self._scores.setdefault(epoch, float(score))
        hopeless = trainer.is_global_zero and self._hopeless(epoch + 1, trainer.max_epochs or -1)
        if trainer.strategy.broadcast(hopeless):
            self.pruned = epoch + 1
            trainer.should_stop = True
            log.info("stopped after epoch %d: other trials were better by then", epoch + 1)

    def _hopeless(self, epochs: int, of: int) -> bool:
        """Report what is not reported yet, and return whether to stop after so many epochs."""
        from optuna.exceptions import OptunaError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            if self._trial is None:
                self._trial = self._file.open()
            known = self._trial.storage.get_trial(self._file.trial).intermediate_values
            for step, score in self._scores.items():
                if step not in known:
                    self._trial.report(score, step)
            return self._file.after * of < epochs < of and bool(self._trial.should_prune())
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
