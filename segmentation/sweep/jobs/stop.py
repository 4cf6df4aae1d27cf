"""Whether a sweep is to stop: a file in its directory, which every process of it looks for."""

from pathlib import Path

from segmentation.system.files import write_atomic

FILE = "stop"


def ask_to_stop(sweep: Path, reason: str) -> None:
    """Let no further job of the sweep start, and let those that run save and leave."""
    sweep.mkdir(parents=True, exist_ok=True)
    write_atomic(sweep / FILE, reason + "\n")


def stop_asked(sweep: Path) -> bool:
    """Return whether the sweep is to stop."""
    return (sweep / FILE).exists()


def forget_stop(sweep: Path) -> None:
    """Let the sweep go on."""
    (sweep / FILE).unlink(missing_ok=True)
