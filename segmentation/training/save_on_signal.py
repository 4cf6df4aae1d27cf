"""Save a run's state and stop on a signal: Ctrl-C, or one that a cluster sends."""

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from segmentation.console import argument, typed
from segmentation.errors import ConfigError, Interrupted, did_you_mean
from segmentation.training.checkpoints import LAST, save_last
from segmentation.training.resuming import agreed, between_steps, largest

ELSEWHERE = {"SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGTSTP", "SIGXCPU", "SIGCONT"}
"""Signals of other platforms, which this one may lack."""
UNSTOPPABLE = {"SIGKILL", "SIGSTOP"}
SAME_SECONDS = 1.0
"""A second signal within this time is the same one, from the terminal and from a parent."""

log = logging.getLogger(__name__)


class SaveOnSignal(pl.Callback):
    """Save the state and stop on a signal.

    The first signal lets the current step (or validation) finish, writes `last.ckpt` and ends the
    run; a second one ends it at once with exit code 128 + signal. Lightning's handlers are replaced
    during training, as its SIGTERM handler stops without saving. With several ranks it is enough
    that one gets the signal: they agree at the logging interval.

    Args:
        directory: of the run.
        save: names of signals to save and stop on.
        requeue: names of signals that also requeue the SLURM job.

    Raises:
        ConfigError: an unknown signal name, or a signal that no process can handle.
        Interrupted: during training, after the state was saved.
    """

    def __init__(
        self, directory: Path, save: Sequence[str] = (), requeue: Sequence[str] = ()
    ) -> None:
        self.directory = directory
        self._requeue = _numbers("signals.requeue", requeue)
        self._numbers = _numbers("signals.save", save) | self._requeue
        self._before: dict[int, Any] = {}
        self._received = 0
        self._at = 0.0
        self._agreed = 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Install the handlers, after Lightning's; Python allows that in the main thread only."""
        self._received = self._agreed = 0
        if threading.current_thread() is threading.main_thread():
            for number in self._numbers:
                self._before[number] = signal.signal(number, self._handle)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop if a signal came during validation."""
        self._agreed = largest(trainer, self._received)
        if self._agreed and trainer.global_step:
            self._leave(trainer, save=True)

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop if a signal came, as soon as a checkpoint is complete."""
        self._agreed = self._agreed or agreed(trainer, self._received)
        if self._agreed and between_steps(trainer, batch_idx):
            self._leave(trainer, save=True)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop if a signal came in the last epoch, whose end is saved already."""
        self._restore()
        self._agreed = self._agreed or largest(trainer, self._received)
        if self._agreed:
            self._leave(trainer, save=False)

    def on_exception(
        self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._restore()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._received:
            self._received, self._at = number, now
            # Not `print`: a stream may be in the middle of a line.
            message = f"\n{_name(number)}: saving after this step; send again to stop at once\n"
            os.write(2, message.encode())
        elif now - self._at > SAME_SECONDS:
            os._exit(128 + number)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}

    def _leave(self, trainer: pl.Trainer, save: bool) -> None:
        if save:
            save_last(trainer, self.directory / "checkpoints")
        if self._agreed in self._requeue and trainer.is_global_zero:
            requeue()
        raise Interrupted(
            f"{_name(self._agreed)} stopped the run at step {trainer.global_step}; its state is in "
            f"{self.directory / 'checkpoints' / LAST}. "
            f"Resume with `{typed('train')} {argument('resume', self.directory)}`.",
            self._agreed,
        )


def requeue() -> None:
    """Requeue this job if it is one of SLURM's; submitit requeues its own."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or "SUBMITIT_EXECUTOR" in os.environ:
        return
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    command = ["scontrol", "requeue", job]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "stderr", None) or error
        log.warning("SLURM did not requeue job %s (`%s`): %s", job, " ".join(command), reason)
    else:
        log.info("SLURM requeued job %s", job)


def _numbers(key: str, names: Sequence[str]) -> set[int]:
    """Return the numbers of the named signals that this platform has."""
    here = {member.name: int(member) for member in signal.Signals}
    known = here.keys() | ELSEWHERE
    if not isinstance(names, list | tuple):
        example = names if isinstance(names, str) else "SIGTERM"
        raise ConfigError(f"{key}={names}: pass a list, such as {key}=[{example}].")
    for name in names:
        if not isinstance(name, str) or name not in known:
            hint = did_you_mean(str(name).upper(), known)
            raise ConfigError(f"{key}: no signal is called {name!r}.{hint}")
        if name in UNSTOPPABLE:
            raise ConfigError(f"{key}: no process can handle {name}. Omit it.")
    return {here[name] for name in names if name in here}


def _name(number: int) -> str:
    return signal.Signals(number).name
