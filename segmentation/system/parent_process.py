"""Exit together with a parent process, however it ends, kill -9 included."""

import os
import signal
import threading
import time

PARENT = "CITYSEG_PARENT"
"""Environment variable: process number of the parent that waits for this process."""


def exit_with_parent(parent: int | None = None, grace: float = 60, every: float = 1) -> None:
    """Watch the parent process in a thread, and end this process once it is gone.

    This process gets SIGTERM, on which training saves its state and exits, and SIGKILL if it is
    still running after the grace period. On Windows, where a process keeps its parent's number for
    good, nothing is watched.

    Args:
        parent: process number that the parent passed to this process, so that a parent that died
            in the meantime is noticed; None for the current parent.
        grace: seconds between the two signals.
        every: seconds between two checks.
    """
    if os.name == "nt":
        return
    expected = os.getppid() if parent is None else parent

    def watch() -> None:
        while os.getppid() == expected:
            time.sleep(every)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="exit-with-parent", daemon=True).start()


def exit_with_parent_if_asked() -> None:
    """Exit with the parent if `PARENT` is set; the variable is not passed on to children."""
    if parent := os.environ.pop(PARENT, None):
        exit_with_parent(int(parent))
