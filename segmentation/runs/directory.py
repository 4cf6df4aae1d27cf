"""Which directory a run goes to: a new one, or that of the run it goes on with.

A run directory is its run's state: `config.yaml` is there as soon as it has begun, `metrics.json`
once it is finished, and `run.lock` is held as long as a process works in it. Nothing here imports
torch: Hydra asks for the directory before anything else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from segmentation.console import argument, typed
from segmentation.errors import ConfigError, explain_validation
from segmentation.runs.saved_config import check_settings, updated
from segmentation.system.files import damaged, read_bounded, read_json, write_atomic
from segmentation.system.plain_data import MAX_YAML_BYTES, load_yaml

RUN_CONFIG = "config.yaml"

METRICS = "metrics.json"

MATRICES = "per_image.npz"

EVALUATION = "evaluation"
"""Of a run: `evaluate.py` keeps its evaluations there, each in a directory of its own."""

EXPORTED = (".onnx", ".xml", ".ts", ".pt2")
"""Suffixes of files that export.py writes; they are scored like a model, beside themselves."""

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
    """Return the configuration that a run directory keeps, under today's names.

    Raises:
        DataError: `config.yaml` is missing or damaged.
    """
    path, remedy = directory / RUN_CONFIG, "Restore it from a copy: it says what the run is."
    try:
        values = load_yaml(read_bounded(path, MAX_YAML_BYTES).decode("utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, error, remedy) from error
    if not isinstance(values, dict):
        raise damaged(path, "it is not a mapping", remedy)
    return checked_settings(path, values, remedy)


def checked_settings(path: Path, values: dict[str, Any], remedy: str) -> dict[str, Any]:
    """Return a configuration that was read from a file, under today's names.

    Raises:
        DataError: a value has another type, is resolved (``${oc.env:HOME}``) or too large, or one
            that every configuration has is missing.
    """
    try:
        check_settings(values)
    except ValueError as error:
        raise damaged(path, error, remedy) from error
    return _checked(path, "Settings", updated(values), remedy)


def read_metrics(directory: Path) -> dict[str, Any] | None:
    """Return the `metrics.json` of a training or an evaluation; None before its end.

    Raises:
        DataError: it is damaged.
    """
    again = (
        f"Remove it and resume the run, which scores it again: {typed('train')} "
        f"{argument('resume', directory)}"
        if begun(directory)
        else f"Score the run again: {typed('evaluate')} run=..."
    )
    path = directory / METRICS
    values = read_json(path, again)
    return None if values is None else _checked(path, "Metrics", values, again)


def read_environment(directory: Path) -> dict[str, Any] | None:
    """Return the `environment.json` of a run; None where there is none.

    Raises:
        DataError: it is damaged.
    """
    remedy = "Restore it from a copy, or write {} into it: what it says is then unknown."
    path = directory / "environment.json"
    values = read_json(path, remedy)
    return None if values is None else _checked(path, "Environment", values, remedy)


def _checked(path: Path, schema: str, values: dict[str, Any], remedy: str) -> dict[str, Any]:
    """Return the values of a file, once they have the types of a class of `runs.schemas`."""
    from pydantic import ValidationError

    from segmentation.runs import schemas

    try:
        getattr(schemas, schema).model_validate(values)
    except ValidationError as error:
        raise damaged(path, explain_validation(error), remedy) from error
    return values


def recorded(directory: str | Path) -> dict[str, Any]:
    """Return what a directory that was scored into says, and where it is, for `--json`."""
    return {"directory": str(directory), **(read_metrics(Path(directory)) or {})}


def write_config(directory: Path, settings: dict[str, Any]) -> None:
    """Write the resolved configuration."""
    from omegaconf import OmegaConf  # `Predictor` needs none of it

    write_atomic(directory / RUN_CONFIG, OmegaConf.to_yaml(OmegaConf.create(settings)))

