"""Choose the directory of an evaluation: named after its options, never that of another."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from segmentation.build.evaluation import EvaluationPlan
from segmentation.build.scored_split import ScoredSplit
from segmentation.errors import ConfigError, DataError
from segmentation.inference.class_map import ClassMap
from segmentation.inference.exported import ExportedModel
from segmentation.inference.options import InferenceOptions
from segmentation.model_files import shipped_name
from segmentation.models import LoadedModel
from segmentation.models.saving import weights_hash
from segmentation.runs.directory import (
    EVALUATION,
    EXPORTED,
    METRICS,
    SLICES_FILE,
    read_metrics,
    run_of,
)

log = logging.getLogger(__name__)

EVALUATION_LOCK = "scoring.lock"

IDENTITY = (
    "split",
    "data_fingerprint",
    "targets_fingerprint",
    "precision",
    "inference",
    "size",
    "class_map",
    "classes",
)
"""Keys of `metrics.json` that identify an evaluation. Batches and processes are not among them, as
they hardly change the scores."""


def evaluation_facts(
    plan: EvaluationPlan,
    loaded: LoadedModel,
    split: ScoredSplit,
    size: tuple[int, int] | None,
    precision: str,
    class_map: ClassMap | None,
) -> dict[str, Any]:
    """Return what `metrics.json` says of how a split was scored; `IDENTITY` are among it.

    Args:
        plan: of the evaluation.
        loaded: the model.
        split: that is scored.
        size: (height, width) that images are resized to; None: their own.
        precision: of the trainer; an exported file has its own.
        class_map: from the classes of the model to those of the data; None where they are equal.
    """
    if isinstance(loaded, ExportedModel):
        precision = loaded.export.precision
    return {
        **split.facts(),
        "precision": precision,
        "inference": plan.inference.to_dict(),
        "size": size and list(size),
        "model": shipped_name(plan.source) or str(plan.source),
        "class_map": class_map,
        "weights": weights_hash(loaded.model),
    }


def evaluation_directory(
    source: Path, data: str | None, options: InferenceOptions, mapped: bool, facts: dict[str, Any]
) -> Path:
    """Return ``evaluation/<name>`` below the run directory, or beside a model without a run.

    A shipped model's is below ``runs/<its name>``.

    The name is ``[<data>_][<checkpoint>_]<split>[_flip][_scales...][_window...][_mapped]``, with
    the name of an exported file in place of data and checkpoint. Where that directory holds a
    different evaluation (of changed images, with another precision or class map), a number follows:
    ``-2``.

    Args:
        source: the run directory, checkpoint or model directory that is scored.
        data: the name of the data; None: the run's own.
        options: the views of each image.
        mapped: whether a class map was typed.
        facts: the `IDENTITY` of the evaluation.
    """
    if source.suffix in EXPORTED:  # it has no data of its own, and may lie beside other files
        data, weights = None, source.name
    else:
        alone = source.suffix == ".ckpt" and source.stem != "best"
        weights = source.stem if alone else ""
    parts = [data, weights, facts["split"], *options.parts()]
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
    lock = FileLock(directory / EVALUATION_LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"another process writes an evaluation to {directory}. Wait until it is done, and "
            "repeat the command."
        ) from error
    try:
        yield
    finally:
        (directory / EVALUATION_LOCK).unlink(missing_ok=True)
        lock.release()
        with contextlib.suppress(OSError):  # not empty
            directory.rmdir()
            directory.parent.rmdir()


def describe_replaced(directory: Path, keeps_slices: bool) -> str:
    """Return in words what a new evaluation replaces in its directory; empty for nothing.

    Args:
        directory: of the evaluation.
        keeps_slices: slices are scored again.
    """
    if not (directory / METRICS).is_file():
        return ""
    lost = (directory / SLICES_FILE).is_file() and not keeps_slices
    return " in place of an earlier evaluation" + (" and its slices" if lost else "")


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.name}-{number}")
        number += 1


def _free(directory: Path, facts: dict[str, Any]) -> bool:
    """Return whether a directory holds no evaluation or the same one; missing facts are equal."""
    try:
        metrics = read_metrics(directory)
    except DataError as error:
        log.warning("%s This evaluation takes its place.", error)
        return True
    return metrics is None or all(metrics.get(key, facts[key]) == facts[key] for key in IDENTITY)
