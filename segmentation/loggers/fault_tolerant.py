"""Loggers whose failure never stops a run: it becomes a warning, and logging is retried."""

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
"""Delay between attempts, because each may take seconds (a locked database)."""
MAX_PENDING = 100_000
"""Calls kept during an outage; the oldest are dropped, so that memory stays bounded."""

log = logging.getLogger(__name__)


class FaultTolerant(Logger):
    """Mixin for a Lightning logger; inherit from this class first, and from Lightning's second.

    Calls that fail are kept and retried every `RETRY_SECONDS` and at the end. The first failure is
    logged as a warning, the end of an outage as one line.
    """

    service: str
    """Name of the service in messages."""
    buffers = False
    """Whether the service keeps values only after `save`; until then they stay pending here."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._warned = self._failing = self._attempting = False
        self._retry_at = 0.0
        self._pending: deque[Callable[[], object]] = deque(maxlen=MAX_PENDING)
        self._unsaved: list[Callable[[], object]] = []

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The underlying logger. Lightning asks for it when a fit begins, so it must not fail."""
        if self._attempting:
            return super().experiment  # type: ignore[misc]
        with self.errors_as_warnings():
            return super().experiment  # type: ignore[misc]
        return DummyExperiment()

    def reopen(self, error: Exception) -> None:
        """Discard the failed connection, so that the next access opens a new one."""

    def resume_from(self, step: int) -> None:
        """Discard what an earlier start logged from `step` on, which will be logged again."""

    @contextmanager
    def errors_as_warnings(self) -> Iterator[None]:
        """Turn an exception into a warning; only the first is shown."""
        try:
            yield
        except Exception as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            if not self._warned:
                self._warned = True
                log.warning("%s failed, the run goes on: %s", self.service, summarize_error(error))
            with suppress(Exception):
                self.reopen(error)

    @rank_zero_only
    def log_hyperparams(self, params: Any = None, *args: Any, **options: Any) -> None:
        """Log the configuration; tried only once, so that a rejected value blocks nothing else."""
        with self._failing_as_a_whole():
            super().log_hyperparams(params, *args, **options)  # type: ignore[safe-super]

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log one value of each curve, now or once the service is back."""
        self._call(partial(super().log_metrics, dict(metrics), step))  # type: ignore[safe-super]

    @rank_zero_only
    def save(self) -> None:
        """Flush what was logged."""
        if self._attempting:  # called by Lightning's own `finalize`
            super().save()
        elif self._due():
            self._attempt(super().save)

    @rank_zero_only
    def finalize(self, status: str = "success") -> None:
        """Close the logger, after a last attempt at the pending calls."""
        self._retry_at = 0.0
        self._attempt(partial(super().finalize, status))

    def _call(self, call: Callable[[], object]) -> None:
        self._pending.append(call)
        if self._due():
            self._attempt()

    @contextmanager
    def _failing_as_a_whole(self) -> Iterator[None]:
        """Let an exception end the block, and only then turn it into a warning."""
        before, self._attempting = self._attempting, True
        with self.errors_as_warnings():
            yield
        self._attempting = before

    def _due(self) -> bool:
        return time.monotonic() >= self._retry_at

    def _attempt(self, save: Callable[[], object] | None = None) -> None:
        """Make the pending calls, then save; after a failure all of them are pending again."""
        done = False
        with self._failing_as_a_whole():
            while self._pending:
                self._pending[0]()
                call = self._pending.popleft()
                if self.buffers:
                    self._unsaved.append(call)
            if save is not None:
                save()
            done = True
        if not done:
            self._failing = True
            self._pending.extendleft(reversed(self._unsaved))
        if not done or save is not None:
            self._unsaved.clear()
        if done and save is not None and self._failing:
            self._failing = False
            log.info("%s is back, and what it missed is logged", self.service)


def summarize_error(error: Exception) -> str:
    """Summarize an error in one line without secrets."""
    first, *_ = str(error).strip().splitlines() or [""]
    return redact(f"{type(error).__name__}: {first}")
