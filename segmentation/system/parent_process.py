"""A process that works for another leaves with it, however that one ends, kill -9 included."""

import os
import signal
import threading
import time

PARENT = "CITYSEG_PARENT"
"""Environment variable: the number of the process that waits for this one."""


def leave_with_parent(parent: int | None = None, grace: float = 60, every: float = 1) -> None:
    """Watch, in a thread, whether the parent is there; once it is gone, end this process.

    The process gets SIGTERM, on which training saves its state and leaves, and SIGKILL if it is
    still there after the grace. On Windows, where a process keeps its parent's number for good,
    nothing is watched.

    Args:
        parent: number of the parent, as it gave it to this process (so that one that has died
            already is noticed); None for the present one.
        grace: seconds between the two signals.
        every: seconds between two looks.
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

    threading.Thread(target=watch, name="leave-with-parent", daemon=True).start()


def leave_if_asked() -> None:
    """Leave with the parent if it has said so in the environment; not handed on to children."""
    if parent := os.environ.pop(PARENT, None):
        leave_with_parent(int(parent))
