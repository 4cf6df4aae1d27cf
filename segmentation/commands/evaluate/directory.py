"""Choose the directory of an evaluation: named after its options, never that of another."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from segmentation.errors import ConfigError
from segmentation.inference.options import InferenceOptions
from segmentation.models.shipped import shipped_name
from segmentation.runs.directory import EVALUATION, read_metrics, run_of

LOCK = "scoring.lock"

SETTINGS = (
    "split", "data_fingerprint", "targets_fingerprint", "precision", "inference", "size",
    "class_map", "classes",
)  # fmt: skip
"""Keys of `metrics.json` that identify an evaluation. Batches and processes are not among them, as
they hardly change the scores."""


def scoring_directory(
    source: Path, data: str | None, options: InferenceOptions, mapped: bool, facts: dict[str, Any]
) -> Path:
    """Return ``evaluation/<name>`` below the run directory, or beside a model without a run.

    A shipped model's is below ``runs/<its name>``.

    The name is ``[<data>_][<checkpoint>_]<split>[_flip][_scales...][_window...][_mapped]``. Where
    that directory holds a different evaluation (of changed images, with another precision or class
    map), a number follows: ``-2``.

    Args:
        source: the run directory, checkpoint or model directory that is scored.
        data: the name of the data; None: the run's own.
        options: the views of each image.
        mapped: whether a class map was typed.
        facts: the `SETTINGS` of the evaluation.
    """
    lone = source.suffix == ".ckpt" and source.stem != "best"
    parts = [data, source.stem if lone else None, facts["split"], *options.parts()]
    name = "_".join(filter(None, [*parts, "mapped" if mapped else None]))
    home = run_of(source) or (source.parent if source.is_file() else source)
    if (known := shipped_name(source)) is not None:  # never write into the package
        home = Path("runs") / known
    return next(path for path in _numbered(home / EVALUATION / name) if _free(path, facts))


@contextlib.contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Lock the directory of an evaluation; rank zero calls it.

    The directory is removed if it is empty at the end.

    Raises:
        ConfigError: another process writes there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"another process writes a scoring to {directory}. Wait until it is done, and repeat "
            "the command."
        ) from error
    try:
        yield
    finally:
        (directory / LOCK).unlink(missing_ok=True)
        lock.release()
        with contextlib.suppress(OSError):  # not empty
            directory.rmdir()
            directory.parent.rmdir()


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.name}-{number}")
        number += 1


def _free(directory: Path, facts: dict[str, Any]) -> bool:
    """Return whether a directory holds no evaluation or the same one; missing facts are equal."""
    try:
        kept = read_metrics(directory)
    except ValueError:  # a damaged file holds no evaluation
        return True
    return kept is None or all(kept.get(key, facts[key]) == facts[key] for key in SETTINGS)
