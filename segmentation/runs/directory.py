"""Which directory a run goes to: a new one, or that of the run it goes on with.

A run directory is its run's state: `config.yaml` is there as soon as it has begun, `metrics.json`
once it is finished, and `run.lock` is held as long as a process works in it. Nothing here imports
torch: Hydra asks for the directory before anything else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from segmentation.errors import ConfigError
from segmentation.runs.saved_config import updated
from segmentation.system.files import read_json, write_atomic

RUN_CONFIG = "config.yaml"

METRICS = "metrics.json"

MATRICES = "per_image.npz"

EVALUATION = "evaluation"
"""Of a run: `evaluate.py` keeps its evaluations there, each in a directory of its own."""

RUN_LOCK = "run.lock"

REPORT = "report.html"

SLICES_FILE = "slices.csv"
"""Of an evaluation: the scores of its slices."""


def begun(directory: Path) -> bool:
    """Return whether a run has begun there."""
    return (directory / RUN_CONFIG).is_file()


def finished(directory: Path) -> bool:
    """Return whether the run there is finished."""
    return (directory / METRICS).is_file()


def run_of(path: Path) -> Path | None:
    """Return the run that a run directory, one of its checkpoints or its model belongs to."""
    if path.parent.name == "checkpoints":
        path = path.parent.parent
    elif path.name == "model":
        path = path.parent
    known = all((path / name).is_file() for name in (RUN_CONFIG, "environment.json"))
    return path if known else None


def working(directory: Path) -> bool:
    """Return whether a process works on the run there."""
    if not (directory / RUN_LOCK).exists():
        return False
    try:
        with FileLock(directory / RUN_LOCK, timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def at_work(directory: Path) -> Iterator[None]:
    """Keep other processes out of a run directory.

    Raises:
        ConfigError: one is at work there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / RUN_LOCK, timeout=2)  # who only looks (see `working`) is soon gone
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"another process trains in {directory}. Wait for it, or choose another hydra.run.dir."
        ) from error
    try:
        yield
        if finished(directory):
            (directory / RUN_LOCK).unlink(missing_ok=True)
    finally:
        lock.release()


def read_settings(directory: Path) -> dict[str, Any]:
    """Return the configuration that a run directory keeps, under today's names."""
    return updated(
        cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(directory / RUN_CONFIG)))
    )


def read_metrics(directory: Path) -> dict[str, Any] | None:
    """Return the `metrics.json` of a run (`score`, `pruned` if so, ...); None before its end."""
    return read_json(directory / METRICS)


def recorded(directory: str | Path) -> dict[str, Any]:
    """Return what a directory that was scored into says, and where it is, for `--json`."""
    return {"directory": str(directory), **(read_metrics(Path(directory)) or {})}


def write_config(directory: Path, settings: dict[str, Any]) -> None:
    """Write the resolved configuration."""
    write_atomic(directory / RUN_CONFIG, OmegaConf.to_yaml(OmegaConf.create(settings)))


def read_environment(directory: Path) -> dict[str, Any] | None:
    """Return what `environment.json` of a run says, None where there is none."""
    return read_json(directory / "environment.json")
