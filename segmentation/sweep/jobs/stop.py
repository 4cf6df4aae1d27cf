"""The request to stop a sweep: a file in its directory that each of its processes looks for."""

from pathlib import Path

from segmentation.system.files import write_atomic

STOP_FILE = "stop"


def ask_to_stop(sweep: Path, reason: str) -> None:
    """Start no further job of the sweep, and let the running ones save and leave."""
    sweep.mkdir(parents=True, exist_ok=True)
    write_atomic(sweep / STOP_FILE, reason + "\n")


def stop_asked(sweep: Path) -> bool:
    """Return whether the sweep is to stop."""
    return (sweep / STOP_FILE).exists()


def forget_stop(sweep: Path) -> None:
    """Let the sweep run again."""
    (sweep / STOP_FILE).unlink(missing_ok=True)
