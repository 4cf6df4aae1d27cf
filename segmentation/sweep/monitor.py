"""Monitor thread for a running sweep: prints what its jobs do, and stops it on a signal."""

import _thread
import os
import shlex
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from filelock import FileLock

from segmentation.console import PlainConsole, argument, duration, is_script, typed
from segmentation.errors import DataError
from segmentation.runs.directory import MATRICES
from segmentation.sweep import table
from segmentation.sweep.earlier import SWEEP_LOCK, note_command, unfinished_sweep
from segmentation.sweep.jobs.allotment import acquired
from segmentation.sweep.jobs.child import LOG
from segmentation.sweep.jobs.directories import job_directories, noted_directories
from segmentation.sweep.jobs.job import SWEEPER
from segmentation.sweep.jobs.state import (
    JobState,
    interrupted_if_abandoned,
    read_job,
    read_jobs,
)
from segmentation.sweep.jobs.stop import ask_to_stop, forget_stop, stop_asked
from segmentation.sweep.report import warning_counts, write_report
from segmentation.system.files import write_atomic

READ_SECONDS = 1.0
"""Seconds between readings of the jobs' files."""
LOG_WIDTH = 140
"""Characters of a line where the output is a log."""
MOST_LISTED = 10
"""Failed jobs and warnings in the summary; the page has all."""


class Monitor:
    """The jobs of a running sweep.

    Args:
        sweep: its directory.
        planned: overrides of its jobs by name; None if a search chooses them one by one, and each
            directory below `sweep` counts.
    """

    def __init__(self, sweep: Path, planned: Mapping[str, Sequence[str]] | None) -> None:
        self.sweep = sweep
        self._jobs = {
            name: JobState(list(overrides), "waiting", host="", started=0.0)
            for name, overrides in (planned or {}).items()
        }
        self._planned = planned is not None
        self._noted: dict[str, str] = {}
        self._read: dict[str, JobState] = {}
        self._console = PlainConsole(soft_wrap=True)
        if not self._console.is_terminal:
            self._console.width = max(self._console.width, LOG_WIDTH)
        self._lock = FileLock(sweep / SWEEP_LOCK)
        self._first = False
        self._signal: int | None = None
        self._leaving = False
        self._warned = False
        self._cleanup = ExitStack()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch-sweep", daemon=True)

    @property
    def jobs(self) -> dict[str, JobState]:
        """The jobs as last read, by directory; one that waits may be by its name still."""
        return {self._noted.get(name, name): job for name, job in self._jobs.items()}

    def start(self) -> None:
        """Start: Ctrl-C and SIGTERM let the jobs save and leave, a second one leaves at once."""
        self.sweep.mkdir(parents=True, exist_ok=True)
        self._first = acquired(self._lock)
        if self._first:  # a request to stop is left from a sweep that was killed
            forget_stop(self.sweep)
        os.environ[SWEEPER] = str(os.getpid())
        self._cleanup.callback(os.environ.pop, SWEEPER, None)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                earlier = signal.signal(number, self._on_signal)
                self._cleanup.callback(signal.signal, number, earlier)
        self._read_changes()  # an earlier start left these: they are not printed
        self._mark_abandoned()
        if self._planned:
            self._console.print(table.plan(self.jobs))
        if not any(word.startswith("sweep.storage=") for word in sys.argv):  # it has a password
            self._console.print(
                f"sweep: {self.sweep}\nafter whatever stops it:\n  {self.command()}"
            )
        self._note_command()
        self._thread.start()

    def end(self, code: int) -> int:
        """Stop watching, print how the sweep ended; return the exit code, so far `code`."""
        # Stop the thread, give the signals back, read the files a last time.
        self._ended.set()
        self._thread.join()
        self._cleanup.close()
        self._update()
        self._mark_abandoned()

        # The request to stop ends with its sweep; others in the directory may go on by it.
        stopped = stop_asked(self.sweep)
        if self._first or self._signal is not None:
            forget_stop(self.sweep)
        left = any(not job.done and job.state != "failed" for job in self.jobs.values())
        if self._first and not left and not stopped and self._signal is None:
            note_command(self.sweep, self._words(), ended=True)
        self._lock.release()

        if any(job.begun for job in self.jobs.values()):
            self._write_csv()
            self._print_summary()
        if self._signal is not None:
            return 128 + self._signal
        if stopped:  # by a job, even if the interruption left code 130
            return 1
        return code or int(not all(job.done for job in self.jobs.values()))

    def _note_command(self) -> None:
        """Note the command in a new directory; say where an earlier sweep of it is unfinished."""
        if not self._first:
            return
        words = self._words()
        chosen = len(words) < len(sys.argv[1:])
        earlier = None if chosen else unfinished_sweep(self.sweep, words)
        if earlier is not None:
            self._console.print(
                f"an unfinished sweep of this command is in {earlier}; to continue it, add "
                f"{argument('hydra.sweep.dir', earlier)}"
            )
        note_command(self.sweep, words, ended=False)

    def _words(self) -> list[str]:
        """Return the command line without the directory of the sweep."""
        return [word for word in sys.argv[1:] if not word.startswith("hydra.sweep.dir=")]

    def command(self, *overrides: str) -> str:
        """Return the command line that continues this sweep; `overrides` replace equal keys."""
        replaced = {word.partition("=")[0] for word in ("hydra.sweep.dir=", *overrides)}
        words = [word for word in sys.argv[1:] if word.partition("=")[0] not in replaced]
        start = typed("train")
        if is_script():
            start = f"python {shlex.quote(sys.argv[0])}"
        else:
            words = words[1:]  # `start` has the subcommand
        directory = argument("hydra.sweep.dir", self.sweep)
        return " ".join([start, *map(shlex.quote, words), directory, *overrides])

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._ended.is_set():
            return
        if self._signal is not None or self._leaving:
            raise KeyboardInterrupt
        self._signal = number
        os.write(2, b"\nstopping: running jobs save and leave; again to leave at once\n")
        ask_to_stop(self.sweep, signal.Signals(number).name)

    def _watch(self) -> None:
        idle = 0  # readings without a running job although the sweep is to stop
        while not self._ended.wait(READ_SECONDS):
            self._update()
            running = any(job.state == "running" for job in self.jobs.values())
            idle = idle + 1 if stop_asked(self.sweep) and not running else 0
            # Waiting jobs return at once, but a thousand of them take their time.
            if idle > 1:
                self._leaving = True
                _interrupt_main()
                return

    def _update(self) -> None:
        """Read, print and write the changes; a file system that is away is one warning."""
        try:
            if changed := self._read_changes():
                self._print_changes(changed)
                self._write_csv()
        except (OSError, DataError) as error:
            if not self._warned:
                self._console.print(
                    f"warning: the sweep's files cannot be read or written: {error}"
                )
            self._warned = True

    def _read_changes(self) -> list[str]:
        """Read the states of unfinished jobs; return the names of those that changed."""
        if self._planned:
            names, self._noted = list(self._jobs), noted_directories(self.sweep)
        else:
            names = job_directories(self.sweep)
        changed = []
        for name in names:
            before = self._read.get(name)
            if before is not None and before.done:
                continue
            job = read_job(self._directory(name))
            if job is not None and job != before:
                self._read[name] = self._jobs[name] = job
                changed.append(self._noted.get(name, name))
        return changed

    def _directory(self, name: str) -> Path:
        return self.sweep / self._noted.get(name, name)

    def _mark_abandoned(self) -> None:
        for name, job in self._jobs.items():
            self._jobs[name] = interrupted_if_abandoned(self._directory(name), job)

    def _print_changes(self, changed: Sequence[str]) -> None:
        jobs = self.jobs
        over = sum(job.state not in ("waiting", "running") for job in jobs.values())
        for name in changed:
            job = jobs[name]
            score = "" if job.score is None else f"  score {job.score:.4f}"
            time_ = "" if job.state == "running" else f"  {duration(job.seconds)}"
            lines = [f"[{over}/{len(jobs)}] {job.state}{score}{time_}  {name}"]
            if job.state == "failed":
                lines += [f"    {line}" for line in job.error.split("\n")]
                lines.append(f"    the whole log: {self.sweep / name / LOG}")
            self._console.print("\n".join(lines))

    def _write_csv(self) -> None:
        write_atomic(self.sweep / "jobs.csv", table.to_csv(self._all()))

    def _all(self) -> dict[str, JobState]:
        """Return the jobs of this command, and those of others in the same directory."""
        return self.jobs | read_jobs(self.sweep, skip=self.jobs)

    def _print_summary(self) -> None:
        # The tables, the best job, and warnings.
        self._console.print(table.job_table(self.jobs), soft_wrap=False)
        if groups := table.groups(self.jobs.values()):
            self._console.print(table.group_table(groups), soft_wrap=False)
        name, best = next(iter(table.best_first(self.jobs).items()))
        lines = []
        if best.score is not None:
            lines.append(f"best score on val: {best.score:.4f}  {self.sweep / name}")

        failed = [name for name, job in self.jobs.items() if job.state == "failed"]
        if failed:
            more = ", ..." if len(failed) > MOST_LISTED else ""
            names = ", ".join(failed[:MOST_LISTED])
            lines.append(f"{len(failed)} of {len(self.jobs)} jobs failed: {names}{more}")
        for text, count in warning_counts(self.sweep, self.jobs)[:MOST_LISTED]:
            lines.append(f"warning of {count} jobs: {text}")

        # Where everything is, and what to type next.
        page = write_report(self.sweep, self._all())
        lines.append(f"all jobs: {page}, {self.sweep / 'jobs.csv'}")
        if len(failed) < sum(not job.done for job in self.jobs.values()):
            lines.append(f"continue with:\n  {self.command()}")
        if failed:
            lines.append(f"run the failed jobs again:\n  {self.command('sweep.retry=true')}")
        if any((self._directory(name) / MATRICES).is_file() for name in self._jobs):
            lines.append(f"next:\n  {typed('compare')} {argument('sweep', self.sweep)}")
        self._console.print("\n".join(lines))


def _interrupt_main() -> None:
    if hasattr(signal, "pthread_kill"):  # also interrupts a system call
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
