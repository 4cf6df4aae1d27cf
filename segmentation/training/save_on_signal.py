"""Signals that end a run with its state saved: Ctrl-C, and what a cluster sends."""

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
"""Names that this platform may lack and another has."""
UNSTOPPABLE = {"SIGKILL", "SIGSTOP"}
SAME_SECONDS = 1.0
"""A signal that comes again so soon is the same one, from the terminal and from a parent."""

log = logging.getLogger(__name__)


class SaveOnSignal(pl.Callback):
    """Save and leave on a signal.

    The first signal lets the running step end (or, while the run is scored on val, that scoring),
    saves its state to `last.ckpt` and ends the run; a second one ends it at once, with exit code
    128 + signal. Lightning's own handlers are put back afterwards; in between they have no say, as
    theirs for SIGTERM ends a run without saving. With several ranks one is enough to get the
    signal: they agree at the logging interval.

    Args:
        directory: of the run.
        save: names of signals that do that.
        requeue: names of signals that ask SLURM besides to start the same job again, if this is a
            job of SLURM's and not one of submitit's, which asks by itself.

    Raises:
        ConfigError: a name that is no signal, or that no process can handle.
        Interrupted: in training.
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
        """Install the handlers, after Lightning its own; they can be in a main thread only."""
        self._received = self._agreed = 0
        if threading.current_thread() is threading.main_thread():
            for number in self._numbers:
                self._before[number] = signal.signal(number, self._handle)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Leave if a signal came while val was scored."""
        self._agreed = largest(trainer, self._received)
        if self._agreed and trainer.global_step:
            self._leave(trainer, save=True)

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Leave if a signal came, as soon as a checkpoint can say everything."""
        self._agreed = self._agreed or agreed(trainer, self._received)
        if self._agreed and between_steps(trainer, batch_idx):
            self._leave(trainer, save=True)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Leave if a signal came in the last epoch, whose end is saved already."""
        self._put_back()
        self._agreed = self._agreed or largest(trainer, self._received)
        if self._agreed:
            self._leave(trainer, save=False)

    def on_exception(
        self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Put the handlers back."""
        self._put_back()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._received:
            self._received, self._at = number, now
            _say(f"{_name(number)}: saving after this step; once more to leave at once")
        elif now - self._at > SAME_SECONDS:
            os._exit(128 + number)

    def _put_back(self) -> None:
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
            f"Go on with `{typed('train')} {argument('resume', self.directory)}`.",
            self._agreed,
        )


def requeue() -> None:
    """Ask SLURM to start this job again, if it is one; submitit asks by itself for its own."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or "SUBMITIT_EXECUTOR" in os.environ:
        return
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    command = ["scontrol", "requeue", job]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        log.warning("SLURM did not requeue job %s (`%s`): %s", job, " ".join(command), said)
    else:
        log.info("SLURM starts job %s again", job)


def _numbers(key: str, names: Sequence[str]) -> set[int]:
    """Return the numbers of those signals that this platform has."""
    here = {one.name: int(one) for one in signal.Signals}
    known = here.keys() | ELSEWHERE
    if isinstance(names, str):
        raise ConfigError(f"{key}={names}: type a list, such as {key}=[{names}].")
    for name in names:
        if name not in known:
            hint = did_you_mean(str(name).upper(), known)
            raise ConfigError(f"{key}: there is no signal {name!r}.{hint}")
        if name in UNSTOPPABLE:
            raise ConfigError(f"{key}: no process can handle {name}. Leave it out.")
    return {here[name] for name in names if name in here}


def _name(number: int) -> str:
    return signal.Signals(number).name


def _say(text: str) -> None:
    """Print from a signal handler, where a stream may be in the middle of a line."""
    os.write(2, f"\n{text}\n".encode())
