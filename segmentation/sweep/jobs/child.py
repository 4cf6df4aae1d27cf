"""The child of a job: started, awaited, and what became of it."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from segmentation.sweep.jobs.state import JobState, write_job
from segmentation.sweep.jobs.stop import stop_asked

LOG = "console.log"
LOOK = 0.5
"""Seconds between two looks at whether to stop."""
GRACE = 90
"""Seconds a child has to save its state and leave."""
INTERRUPTING = {
    getattr(signal, name).value
    for name in ("SIGHUP", "SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
}


def attempt(
    command: Sequence[str],
    overrides: list[str],
    directory: Path,
    before: JobState | None,
    cwd: Path,
    environment: Mapping[str, str],
) -> JobState:
    """Run a job's child once, its output into `console.log`; return the job's state after it.

    That says failed or interrupted, also of a child that finished: `metrics.json` tells.

    Args:
        overrides: what the job is.
        directory: of the job, in the directory of the sweep.
        before: the state that an earlier attempt has left.
    """
    log = directory / LOG
    seconds = 0.0 if before is None else before.seconds
    if before is not None and before.state == "running" and log.exists():  # killed in the middle
        seconds += max(0.0, log.stat().st_mtime - before.started)
    state = JobState(overrides, "running", seconds=seconds)
    write_job(directory, state)
    code = None
    with log.open("ab") as output:
        start = output.tell()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(environment),
            start_new_session=True,  # one Ctrl-C is one signal: from here
        )
        try:
            code, stopped = _wait(child, directory.parent)
        finally:
            state = replace(state, seconds=round(seconds + time.time() - state.started, 1))
            if code is None:  # this process has been told to leave
                write_job(directory, replace(state, state="interrupted"))
    if stopped or code - 128 in INTERRUPTING or -code in INTERRUPTING:
        return replace(state, state="interrupted", exit_code=code)
    error = _end(log, start) or "it printed nothing"
    return replace(state, state="failed", exit_code=code, error=error)


def _wait(child: subprocess.Popen[bytes], sweep: Path) -> tuple[int, bool]:
    """Return the child's exit code, and whether it was told to leave because the sweep stops."""
    told = 0.0
    try:
        while True:
            try:
                return child.wait(timeout=LOOK), bool(told)
            except subprocess.TimeoutExpired:
                if not told and stop_asked(sweep):
                    child.terminate()
                    told = time.monotonic()
                elif told and time.monotonic() - told > GRACE:
                    child.kill()
    except BaseException:  # Ctrl-C a second time, or a scheduler that wants its machine back
        child.terminate()
        try:
            child.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
        raise


def _end(log: Path, start: int, lines: int = 20) -> str:
    """Return the last lines that a child printed.

    Args:
        start: where in the file its output begins.
    """
    with log.open("rb") as file:
        file.seek(max(start, file.seek(0, os.SEEK_END) - 8000))
        text = file.read().decode(errors="replace")
    kept = [line.rstrip().rsplit("\r", 1)[-1] for line in text.split("\n") if line.strip()]
    return "\n".join(kept[-lines:])
