"""Loggers that cannot stop a run: a failure is one warning, what was missed is logged later."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.loggers.logger import DummyExperiment, rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from segmentation.system.redaction import redact

RETRY_SECONDS = 30.0
"""What has failed is left alone for so long: each attempt may cost seconds (a locked database)."""
MOST_WAITING = 100_000
"""So many calls wait for a service to be back; the oldest are dropped, so memory stays bounded."""

log = logging.getLogger(__name__)


class Forgiving(Logger):
    """What a logger gets by inheriting from this first, and from one of Lightning's second.

    What could not be logged waits until the service is back, and is tried again every
    `RETRY_SECONDS` and at the end. The first failure is a warning, the end of an outage one line.
    """

    service: str
    """What messages call it."""
    buffers = False
    """Whether what was logged is only kept after `save`, and until then waits as well."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._warned = self._failing = self._attempting = False
        self._retry_at = 0.0
        self._waiting: deque[Callable[[], object]] = deque(maxlen=MOST_WAITING)
        self._unsaved: list[Callable[[], object]] = []

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """What logs. Lightning asks for it when a fit begins: no failure may come of that."""
        if self._attempting:
            return super().experiment  # type: ignore[misc]
        with self.forgiving():
            return super().experiment  # type: ignore[misc]
        return DummyExperiment()

    def reopen(self, error: Exception) -> None:
        """Let go of what has failed, so that the next access opens it again."""

    def go_on_from(self, step: int) -> None:
        """Take back what an earlier start logged from `step` on: it will come again."""

    @contextmanager
    def forgiving(self) -> Iterator[None]:
        """Turn a failure into a warning; only the first is shown."""
        try:
            yield
        except Exception as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            if not self._warned:
                self._warned = True
                log.warning("%s failed, the run goes on: %s", self.service, short(error))
            with suppress(Exception):
                self.reopen(error)

    @rank_zero_only
    def log_hyperparams(self, params: Any = None, *args: Any, **options: Any) -> None:
        """Log the configuration; it is tried once, so that a value it refuses holds nothing up."""
        with self._strictly():
            super().log_hyperparams(params, *args, **options)  # type: ignore[safe-super]

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log one value of each curve, now or when the service is back."""
        self._call(partial(super().log_metrics, dict(metrics), step))  # type: ignore[safe-super]

    @rank_zero_only
    def save(self) -> None:
        """Bring what was logged to where it is kept."""
        if self._attempting:  # Lightning's own `finalize` may come here
            super().save()
        elif self._due():
            self._attempt(super().save)

    @rank_zero_only
    def finalize(self, status: str = "success") -> None:
        """End the logging; what still waits gets a last chance."""
        self._retry_at = 0.0
        self._attempt(partial(super().finalize, status))

    def _call(self, call: Callable[[], object]) -> None:
        self._waiting.append(call)
        if self._due():
            self._attempt()

    @contextmanager
    def _strictly(self) -> Iterator[None]:
        """Forgive a failure at the end of the block, not within it."""
        before, self._attempting = self._attempting, True
        with self.forgiving():
            yield
        self._attempting = before

    def _due(self) -> bool:
        return time.monotonic() >= self._retry_at

    def _attempt(self, save: Callable[[], object] | None = None) -> None:
        """Make the calls that wait, then save; after a failure all of them wait again."""
        done = False
        with self._strictly():
            while self._waiting:
                self._waiting[0]()
                call = self._waiting.popleft()
                if self.buffers:
                    self._unsaved.append(call)
            if save is not None:
                save()
            done = True
        if not done:
            self._failing = True
            self._waiting.extendleft(reversed(self._unsaved))
        if not done or save is not None:
            self._unsaved.clear()
        if done and save is not None and self._failing:
            self._failing = False
            log.info("%s is back, and what it missed is logged", self.service)


def short(error: Exception) -> str:
    """Return what an error is, in one line without secrets."""
    first, *_ = str(error).strip().splitlines() or [""]
    return redact(f"{type(error).__name__}: {first}")
