"""An Optuna study as the state of a search: it draws trials, and records their results.

Any number of processes, one after another or at once, work on one study: the number of trials is a
total, a trial whose process died is run to its end, and what each trial draws follows from the seed
and the trial's number, so that no two processes draw the same.
"""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, Literal
from uuid import uuid4

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.trial import FrozenTrial, TrialState

from segmentation.errors import ConfigError, check_seed
from segmentation.runs.directory import read_metrics
from segmentation.sweep.jobs.names import job_overrides
from segmentation.sweep.jobs.state import read_job
from segmentation.sweep.search.dry_run import try_pruner, try_sampler
from segmentation.sweep.search.space import Space
from segmentation.sweep.search.storage import (
    STORAGE_VARIABLE,
    connect,
    redacted_url,
    storage_url,
    write_study_file,
)
from segmentation.sweep.search.trials import TrialFile, check_named, make_sampler
from segmentation.system.redaction import HIDDEN

OBJECTIVES: dict[str, Literal["maximize", "minimize"]] = {
    "score": "maximize",
    "latency_ms": "minimize",
    "parameters": "minimize",
    "seconds": "minimize",
}
"""The objectives of a search by their keys in metrics.json, never a score on test."""
WORKER, RETRY_OF, SETTINGS, DIRECTORY = "worker", "retry_of", "settings", "directory"
UNSIGNED = timedelta(minutes=1)
"""Age from which a trial without a worker counts as abandoned."""


@dataclass(frozen=True)
class Draw:
    """A trial to run, and the overrides of its job."""

    trial: optuna.Trial
    overrides: list[str]


class Search:
    """A study that this process works on.

    Args:
        storage: its URL.
        name: of the study in the storage; it is created if missing.
        directory: of the sweep; processes that share it resume each other's abandoned trials.
        space: the search space.
        objectives: names of `OBJECTIVES`.
        sampler: `name`, a class of `optuna.samplers`, and its arguments; built for each trial.
        seed: with a trial's number it gives the seed of its draw.
        pruner: `name`, a class of `optuna.pruners`, its arguments, and `after`, the share of the
            epochs before which nothing is stopped; None: every trial runs to its end.

    Raises:
        ConfigError: an invalid option, an unreachable storage, or a study of another space.
    """

    def __init__(
        self,
        storage: str,
        name: str,
        directory: Path,
        space: Space,
        objectives: Sequence[str],
        sampler: dict[str, Any],
        seed: int,
        pruner: dict[str, Any] | None = None,
    ) -> None:
        if not objectives or not set(objectives) <= set(OBJECTIVES):
            raise ConfigError(
                f"sweep.objectives={list(objectives)}: expected one or more of "
                f"{', '.join(OBJECTIVES)}."
            )
        if pruner is not None and list(objectives) != ["score"]:
            raise ConfigError(
                "trials can be pruned only if the score is the only objective. Otherwise type "
                "sweep.pruner=null."
            )
        if pruner is not None:
            check_named("pruner", pruner)
        self._after = None if pruner is None else _share(pruner.get("after", 0.0))
        self._pruner = {key: value for key, value in (pruner or {}).items() if key != "after"}
        if pruner is not None:
            try_pruner(self._pruner)
        try_sampler(space, len(objectives), sampler, check_seed("sweep.seed", seed))
        self.space = space
        self.objectives = list(objectives)
        self._directory = directory
        self._sampler = sampler
        self._seed = seed
        self._storage = redacted_url(storage)
        if HIDDEN in self._storage:
            os.environ[STORAGE_VARIABLE] = storage  # for the jobs
        self._draws: list[tuple[Draw, Path]] = []
        self._worker = uuid4().hex
        self._lock = FileLock(self._lock_file(self._worker))
        Path(self._lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._lock.acquire()
            self.study = optuna.create_study(
                study_name=name,
                storage=connect(storage),
                directions=[OBJECTIVES[name] for name in self.objectives],
                load_if_exists=True,
            )
            self._check_settings()
        self._exhausted = Event()
        self.study.stop = self._exhausted.set  # type: ignore[method-assign]  # as samplers ask for
        own = storage == storage_url(None, directory)
        write_study_file(directory, None if own else self._storage, name)

    def next(self, size: int, total: int) -> list[Draw]:
        """Return up to `size` trials to run: abandoned ones first, then new ones up to `total`.

        There are none after a sampler such as BruteForceSampler has drawn its whole space.
        """
        if self._exhausted.is_set():
            return []
        with self._locked():
            running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            ids = [trial._trial_id for trial in running if self._is_abandoned(trial)]
            draws = [self._draw(trial_id) for trial_id in ids[:size]]
            missing = total - self._spent()
            return draws + [self._draw(None) for _ in range(min(size - len(draws), missing))]

    def retry(self) -> None:
        """Enqueue every failed trial that was not retried yet."""
        with self._locked():
            retried = self._retried()
            for trial in self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
                if trial.number not in retried:
                    self.study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number})

    def start(self, draw: Draw, directory: Path) -> None:
        """Note a trial's directory, and write `trial.json` there if trials are pruned."""
        relative = os.path.relpath(directory, self._directory)
        draw.trial.set_user_attr(DIRECTORY, relative)
        self._draws.append((draw, directory))
        if self._after is not None:
            TrialFile(
                self._storage,
                self.study.study_name,
                draw.trial._trial_id,
                self._pruner,
                self._after,
            ).write(directory)

    def tell(self) -> None:
        """Tell the study the results of the started jobs, from their files.

        An interrupted job stays a running trial, which the next process resumes; so does one that
        another process runs, until that has ended.
        """
        self._draws = [
            (draw, folder) for draw, folder in self._draws if not self._told(draw, folder)
        ]

    def _told(self, draw: Draw, directory: Path) -> bool:
        job, metrics = read_job(directory), read_metrics(directory)
        if metrics is None and (job is None or job.state in ("running", "interrupted")):
            return False
        metrics = metrics or {}
        results = [metrics.get(name) for name in self.objectives]
        values = [float(value) for value in results if value is not None and math.isfinite(value)]
        if metrics.get("pruned"):
            state = TrialState.PRUNED
            frozen = draw.trial.storage.get_trial(draw.trial._trial_id)
            if values and not frozen.intermediate_values:  # another trial ran this job
                draw.trial.report(values[0], metrics["pruned"] - 1)
        else:
            state = TrialState.COMPLETE if len(values) == len(results) else TrialState.FAIL
        final = values if state == TrialState.COMPLETE else None
        self.study.tell(draw.trial.number, final, state, skip_if_finished=True)
        return True

    def close(self) -> None:
        """Release the lock of this process, so that others resume the trials it leaves."""
        self._lock.release()
        with self._locked():
            left = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            needed = {trial.user_attrs.get(WORKER) for trial in left}
            for file in Path(self._lock.lock_file).parent.iterdir():
                if file.stem not in needed and _is_free(file):
                    file.unlink()

    def _draw(self, abandoned: int | None) -> Draw:
        number = (
            len(self.study.get_trials(deepcopy=False))
            if abandoned is None
            else self.study._storage.get_trial(abandoned).number
        )
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        self.study.sampler = make_sampler(self._sampler, seed)
        trial = self.study.ask() if abandoned is None else optuna.Trial(self.study, abandoned)
        trial.set_user_attr(WORKER, self._worker)  # first: from here on others can resume it
        return Draw(trial, self.space.overrides(trial))

    def _is_abandoned(self, trial: FrozenTrial) -> bool:
        """Return whether the process of a running trial has died.

        Its lock is in the sweep directory; without one the trial belongs to another directory.
        """
        worker = trial.user_attrs.get(WORKER)
        if worker is None:  # it died before it could write its name
            began = trial.datetime_start
            return began is not None and datetime.now() - began > UNSIGNED
        file = self._lock_file(worker)
        return file.exists() and _is_free(file)

    def _spent(self) -> int:
        """Return the number of trials that count: all but failed ones that were retried."""
        retried = self._retried()
        trials = self.study.get_trials(deepcopy=False)
        return sum(
            trial.state != TrialState.WAITING and trial.number not in retried for trial in trials
        )

    def _retried(self) -> set[int]:
        trials = self.study.get_trials(deepcopy=False)
        return {trial.user_attrs[RETRY_OF] for trial in trials if RETRY_OF in trial.user_attrs}

    def _check_settings(self) -> None:
        """Note the settings of a new study; check that those of an earlier one are the same."""
        now: dict[str, object] = {
            "fixed": sorted(job_overrides(self.space.fixed)),
            "searched": {key: str(values) for key, values in self.space.distributions.items()},
            "objectives": self.objectives,
        }
        begun = self.study.user_attrs.get(SETTINGS)
        if begun is None:
            self.study.set_user_attr(SETTINGS, now)
        elif begun != now:
            different = next(key for key in now if begun.get(key) != now[key])
            raise ConfigError(
                f"the study {self.study.study_name} in {self._storage} has other settings, so its "
                f"trials cannot be compared with new ones. {different.capitalize()} then: "
                f"{begun.get(different)}; now: {now[different]}. Repeat its command, or choose "
                "another hydra.sweep.dir (or sweep.study, in a storage of your own)."
            )

    def _lock_file(self, worker: str) -> Path:
        return self._directory / ".workers" / f"{worker}.lock"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with FileLock(self._directory / "study.lock"):
            yield


def _share(value: Any) -> float:
    """Check and return `sweep.pruner.after`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"sweep.pruner.after={value}: expected a share of the epochs, 0 to 1.")
    return value


def _is_free(file: Path) -> bool:
    try:
        with FileLock(file, timeout=0):
            return True
    except Timeout:
        return False
