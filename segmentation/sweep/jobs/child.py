"""The child process of a job: its start, its end, and the state that follows from it."""

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
COMPOSED = "composed.yaml"
"""In a job's directory: the configuration that the sweep composed, before the job began."""
COMPOSED_VARIABLE = "CITYSEG_COMPOSED"
"""Environment variable: that file, for the child."""
POLL_SECONDS = 0.5
"""Seconds between two checks whether to stop."""
GRACE_SECONDS = 90
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
    sweep: Path,
    cwd: Path,
    environment: Mapping[str, str],
) -> JobState:
    """Run a job's child once, its output into `console.log`; return the job's state afterwards.

    The state is failed or interrupted, even if the child finished: `metrics.json` shows that.

    Args:
        command: starts the child.
        overrides: of the training.
        directory: of the job.
        before: the state that an earlier attempt left.
        sweep: directory of the sweep.
        cwd: working directory of the child.
        environment: of the child.
    """
    # The time of earlier attempts counts; one that was killed has only its log's last change.
    log = directory / LOG
    seconds = 0.0 if before is None else before.seconds
    if before is not None and before.state == "running" and log.exists():
        seconds += max(0.0, log.stat().st_mtime - before.started)
    state = JobState(overrides, "running", seconds=seconds)
    write_job(directory, state)

    # Run the child, and note the time even if this process has to leave.
    code, began = None, time.monotonic()  # the clock may be set meanwhile
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
            code, stopped = _wait(child, sweep)
        finally:
            state = replace(state, seconds=round(seconds + time.monotonic() - began, 1))
            if code is None:  # this process has to leave
                write_job(directory, replace(state, state="interrupted"))

    # A signal's exit code is 128 + number from a shell, -number from the system.
    if stopped or code - 128 in INTERRUPTING or -code in INTERRUPTING:
        return replace(state, state="interrupted", exit_code=code)
    error = _last_lines(log, start) or "it printed nothing"
    return replace(state, state="failed", exit_code=code, error=error)


def _wait(child: subprocess.Popen[bytes], sweep: Path) -> tuple[int, bool]:
    """Wait for a child; return its exit code, and whether it was stopped with the sweep."""
    stopped_at = 0.0
    try:
        while True:
            try:
                return child.wait(timeout=POLL_SECONDS), bool(stopped_at)
            except subprocess.TimeoutExpired:
                if not stopped_at and stop_asked(sweep):
                    child.terminate()
                    stopped_at = time.monotonic()
                elif stopped_at and time.monotonic() - stopped_at > GRACE_SECONDS:
                    child.kill()
    except BaseException:  # Ctrl-C a second time, or a scheduler that wants its machine back
        child.terminate()
        try:
            child.wait(timeout=GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
        raise


def _last_lines(log: Path, start: int, count: int = 20) -> str:
    """Return the last lines of a log after the byte `start`, where a child's output begins."""
    if not log.exists():
        return f"{log} is gone: was the sweep's directory removed in the meantime?"
    with log.open("rb") as file:
        file.seek(max(start, file.seek(0, os.SEEK_END) - 8000))
        text = file.read().decode(errors="replace")
    lines = [line.rstrip().rsplit("\r", 1)[-1] for line in text.split("\n") if line.strip()]
    return "\n".join(lines[-count:])
