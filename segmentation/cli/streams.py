"""Keep stdout for a result, and turn SIGTERM into an exception."""

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import TextIO

from segmentation.cli.terminal import open_pipe


class Terminated(SystemExit):
    """SIGTERM asked the command to end."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Let the first SIGTERM raise `Terminated` in this process; ignore later ones."""
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    process, received = os.getpid(), False

    def terminate(number: int, frame: FrameType | None) -> None:
        nonlocal received
        if os.getpid() != process:  # a fork, which must not unwind its parent's stack
            os._exit(128 + number)
        if not received:
            received = True
            raise Terminated

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def stdout_to_stderr() -> Iterator[Callable[[str], object]]:
    """Redirect stdout to stderr; give the block a function that writes to the real stdout."""
    stdout: TextIO = sys.stdout
    if stdout is not sys.__stdout__:  # a caller in this process has replaced it
        with redirect_stdout(sys.stderr):
            yield stdout.write
        return
    stdout.flush()
    # The copy is not inherited, so that a reader does not wait for processes that stay behind.
    with io.TextIOWrapper(open_pipe(os.dup(stdout.fileno())), encoding="ascii") as real:
        os.dup2(sys.stderr.fileno(), stdout.fileno())
        sys.stdout = sys.stderr  # for good: threads and exit handlers print even later
        yield real.write
