"""The sweeping process's eyes: a thread that reads the jobs' files and tells people."""

import _thread
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from filelock import FileLock
from rich.console import Console

from segmentation.console import argument, duration
from segmentation.runs.directory import working
from segmentation.sweep import table
from segmentation.sweep.jobs.allotment import acquired
from segmentation.sweep.jobs.child import LOG
from segmentation.sweep.jobs.job import SWEEPER
from segmentation.sweep.jobs.state import FILE, JobState, read_job
from segmentation.sweep.jobs.stop import ask_to_stop, forget_stop, stop_asked
from segmentation.sweep.report import read_rows, warned, write_report
from segmentation.sweep.table import Row
from segmentation.system.files import write_atomic

LOOK = 1.0
"""Seconds between two looks at the files."""
TABLE = 60.0
"""Seconds between two tables."""


class Watch:
    """What is known of a sweep while it runs.

    Args:
        sweep: its directory.
        planned: name -> overrides of its jobs; None where a search chooses them one by one, and
            each directory below `sweep` counts.
    """

    def __init__(self, sweep: Path, planned: Mapping[str, Sequence[str]] | None) -> None:
        self.sweep = sweep
        self.rows: dict[str, Row] = {
            name: Row(name, overrides) for name, overrides in (planned or {}).items()
        }
        self._open = None if planned is None else dict.fromkeys(planned)  # in order
        self._seen: dict[str, tuple[int, int]] = {}
        self._console = Console()
        if not self._console.is_terminal:  # a log, where nobody minds a long line
            self._console.width = max(self._console.width, 140)
        self._signal: int | None = None
        self._warned = False
        self._first = False
        self._lock = FileLock(sweep / ".sweep.lock")
        self._quiet = 0  # looks in which no job ran although the sweep is to stop
        self._ended = threading.Event()
        self._tabled = self._wrote = time.monotonic()
        self._cost = 0.0
        self._dirty = True
        self._handlers: dict[int, object] = {}
        self._thread = threading.Thread(target=self._watch, name="watch-sweep", daemon=True)

    def start(self) -> None:
        """Begin: Ctrl-C and SIGTERM let the jobs save and leave, a second one leaves at once."""
        self.sweep.mkdir(parents=True, exist_ok=True)
        self._first = acquired(self._lock)
        if self._first:  # what it says is from a sweep that was killed
            forget_stop(self.sweep)
        os.environ[SWEEPER] = str(os.getpid())
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._on_signal)
        self.look()  # what an earlier start has left is no news
        if not any(word.startswith("sweep.storage=") for word in sys.argv):  # it has a password
            self._print(f"sweep: {self.sweep}\nafter whatever stops it:\n  {self.command()}")
        left = {name for name, row in self.rows.items() if row.state == "running"}
        for name in left:
            if not working(self.sweep / name):
                self.rows[name] = Row(name, self.rows[name].overrides, self.rows[name].job, True)
        self._thread.start()

    def end(self, code: int) -> int:
        """Stop watching, print how the sweep ended; return the exit code.

        Args:
            code: what the command would exit with otherwise.
        """
        self._ended.set()
        self._thread.join()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.environ.pop(SWEEPER, None)
        self._look_and_tell(tables=False)  # the summary has it
        rows = [
            Row(row.name, row.overrides, row.job, row.state == "running" and not self._runs(row))
            for row in self.rows.values()
        ]
        self.rows = {row.name: row for row in rows}
        stopped = stop_asked(self.sweep)
        if self._first or self._signal is not None:
            forget_stop(self.sweep)
        self._lock.release()
        if any(row.job for row in rows):
            self._write()
            self._summary(rows)
        if self._signal is not None:
            return 128 + self._signal
        if stopped:  # by a job, whatever the interruption left
            return 1
        return code or int(any(not _done(row.job) for row in rows))

    def _runs(self, row: Row) -> bool:
        return working(self.sweep / row.name)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._ended.is_set():
            return
        if self._signal is not None or self._quiet > 1:
            raise KeyboardInterrupt
        self._signal = number
        os.write(2, b"\nstopping: running jobs save and leave; again to leave at once\n")
        ask_to_stop(self.sweep, signal.Signals(number).name)

    def _watch(self) -> None:
        while not self._ended.wait(LOOK):
            self._look_and_tell()
            if not stop_asked(self.sweep):
                continue
            # Jobs that have not begun return at once, but a thousand of them take their time.
            self._quiet = 0 if _in(self.rows.values(), "running") else self._quiet + 1
            if self._quiet > 1:
                _interrupt_main()
                return

    def _look_and_tell(self, tables: bool = True) -> None:
        """Look; a file system that is away for a while is one warning."""
        try:
            self._tell(self.look(), tables)
        except (OSError, ValueError) as error:
            if not self._warned:
                self._print(f"warning: the sweep's files cannot be read or written: {error}")
            self._warned = True

    def look(self) -> list[Row]:
        """Read the states that have changed; return them."""
        changed = []
        for name in self._names():
            path = self.sweep / name / FILE
            try:
                facts = path.stat()
            except OSError:
                continue
            mark = (facts.st_mtime_ns, facts.st_ino)
            if self._seen.get(name) == mark:
                continue
            self._seen[name] = mark
            job = read_job(path.parent)
            if job is None:
                continue
            row = Row(name, job.overrides, job)
            self.rows[name] = row
            changed.append(row)
            if job.done and self._open is not None:
                self._open.pop(name, None)
        self._dirty |= bool(changed)
        return changed

    def _names(self) -> list[str]:
        if self._open is not None:
            return list(self._open)
        with os.scandir(self.sweep) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
        return [name for name in names if name not in self.rows or not _done(self.rows[name].job)]

    def _tell(self, changed: Sequence[Row], tables: bool = True) -> None:
        """Print a line for each change, the log's end of what failed, and at times the table."""
        over = sum(row.state not in ("waiting", "running") for row in self.rows.values())
        for row in changed:
            self._line(row, f"[{over}/{len(self.rows)}]")
        now = time.monotonic()
        if self._dirty and now - self._wrote > max(LOOK, 50 * self._cost):
            self._write()
        if tables and changed and now - self._tabled > TABLE:
            self._tabled = now
            self._console.print(table.job_table(list(self.rows.values())))

    def _line(self, row: Row, progress: str) -> None:
        job = row.job
        assert job is not None
        score = "" if job.score is None else f"  score {job.score:.4f}"
        time_ = "" if job.state == "running" else f"  {duration(job.seconds)}"
        self._print(f"{progress} {job.state}{score}{time_}  {row.name}")
        if job.state == "failed":
            self._print("\n".join(f"    {line}" for line in job.error.split("\n")))
            self._print(f"    all of it: {self.sweep / row.name / LOG}")

    def _write(self) -> None:
        before = time.monotonic()
        write_atomic(self.sweep / "jobs.csv", table.to_csv(self._all()))
        self._wrote = time.monotonic()
        self._cost = self._wrote - before
        self._dirty = False

    def _all(self) -> list[Row]:
        """Return the jobs of this command, and those of others in the same directory."""
        return [*self.rows.values(), *read_rows(self.sweep, leave_out=self.rows)]

    def _summary(self, rows: Sequence[Row]) -> None:
        self._console.print(table.job_table(rows))
        if found := table.groups(rows):
            self._console.print(table.group_table(found))
        scored = [row for row in rows if row.score is not None]
        if scored:
            best = max(scored, key=lambda row: row.score or 0.0)
            self._print(f"best score on val: {best.score:.4f}  {self.sweep / best.name}")
        failed = [row.name for row in rows if row.state == "failed"]
        if failed:
            more = f" and {len(failed) - 10} more" if len(failed) > 10 else ""
            self._print(f"{len(failed)} of {len(rows)} jobs failed: {', '.join(failed[:10])}{more}")
        for text, count in warned(self.sweep, rows)[:10]:
            self._print(f"warning of {count} jobs: {text}")
        self._print(f"all jobs: {write_report(self.sweep, self._all())}, {self.sweep / 'jobs.csv'}")
        if len(failed) < sum(not _done(row.job) for row in rows):
            self._print(f"go on with:\n  {self.command()}")
        if failed:
            self._print(f"run what failed again:\n  {self.command('sweep.retry=true')}")

    def command(self, *more: str) -> str:
        """Return what was typed, as it goes on in the same directory."""
        typed = [one for one in sys.argv if not one.startswith("hydra.sweep.dir=")]
        typed = [one for one in typed if one.partition("=")[0] not in _keys(more)]
        words = [*map(shlex.quote, ["python", *typed]), argument("hydra.sweep.dir", self.sweep)]
        return " ".join([*words, *more])

    def _print(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


def _interrupt_main() -> None:
    if hasattr(signal, "pthread_kill"):  # also where it waits inside a system call
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _keys(overrides: Sequence[str]) -> list[str]:
    return [one.partition("=")[0] for one in overrides]


def _done(job: JobState | None) -> bool:
    return job is not None and job.done


def _in(rows: object, state: str) -> bool:
    return any(row.state == state for row in list(rows))  # type: ignore[call-overload]
