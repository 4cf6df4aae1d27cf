"""Find the evaluation directories of a run, a checkpoint or a model, and those out of date."""

import re
from dataclasses import dataclass
from pathlib import Path

from segmentation.console import argument, typed
from segmentation.errors import DataError
from segmentation.runs.directory import (
    EVALUATION,
    EXPORTED,
    MATRICES,
    METRICS,
    finished,
    read_metrics,
    run_of,
)

COMPARED_SPLITS = ("test", "val")
"""The splits to compare on, in order of preference."""


@dataclass(frozen=True)
class Evaluation:
    """A directory with the scores of one model on one split.

    Attributes:
        named: the path that the user gave, for messages and for `evaluate.py`.
        directory: holds the scores.
        run: the run directory of the model; None for a model without a run.
        model: the path that the model loads from.
        checkpoint: the weights that were scored.
    """

    named: Path
    directory: Path
    run: Path | None
    model: Path
    checkpoint: str = "best"

    @property
    def written(self) -> float:
        """The time of writing, in seconds since 1970."""
        return (self.directory / METRICS).stat().st_mtime


@dataclass(frozen=True)
class Evaluations:
    """All evaluations of one run, checkpoint or model.

    Attributes:
        splits: the comparable evaluations of each split, the preferred one first.
        notes: what was left out, for the user.
    """

    splits: dict[str, tuple[Evaluation, ...]]
    notes: tuple[str, ...] = ()


def find_evaluations(named: Path) -> Evaluations:
    """Find the evaluations of a run, of one of its checkpoints, or of a model.

    A directory written by `evaluate.py` stands for itself alone. For a run, an evaluation by
    `evaluate.py` precedes the one at the end of its training on the same split, which precedes the
    numbered ones (changed data or options). An evaluation of other weights than the run has now is
    left out: it was made during the training, or before the training was resumed.

    Raises:
        DataError: the path does not exist, or is a sweep or an unfinished run without scores.
    """
    _check_named(named)
    if named.is_dir() and named.parent.name == EVALUATION and (named / MATRICES).is_file():
        return _single_evaluation(named)
    run = run_of(named)
    checkpoint = named.stem if named.parent.name == "checkpoints" else "best"
    if named.suffix in EXPORTED:
        checkpoint = named.name
    trained = run if run and checkpoint == "best" and finished(run) else None
    splits: dict[str, list[Evaluation]] = {}
    notes = []

    # Evaluations by evaluate.py, of the weights that the run has now.
    home = run or (named.parent if named.is_file() else named)
    for split, directory in _evaluation_folders(home, checkpoint):
        if trained and (reason := _outdated(directory, trained)):
            notes.append(f"{directory} is left out: {reason}.")
        else:
            evaluation = Evaluation(named, directory, run, named, checkpoint)
            splits.setdefault(split, []).append(evaluation)

    # The one at the end of the training.
    if trained and (trained / MATRICES).is_file():
        others = splits.setdefault(_split_of(trained), [])
        unnumbered = bool(others) and others[0].directory.name in COMPARED_SPLITS
        others.insert(int(unnumbered), Evaluation(named, trained, trained, named))

    if run is not None and not finished(run):
        _check_scored(run, bool(splits))
        notes.append(f"The training in {run} is not finished: an earlier state was scored.")
    if trained and not splits:
        _check_segments(trained)
    return Evaluations({split: tuple(of_split) for split, of_split in splits.items()}, tuple(notes))


def _check_named(named: Path) -> None:
    if not named.exists():
        raise DataError(f"no run {named}. Name run directories: runs=[runs/<one>,runs/<other>].")
    if (named / "jobs.csv").is_file():
        raise DataError(f"{named} is a sweep: type {argument('sweep', named)} in place of runs=.")


def _check_scored(run: Path, scored: bool) -> None:
    if not scored:
        raise DataError(
            f"{run} is not finished and has no scores. Resume it: "
            f"{typed('train')} {argument('resume', run)}; or omit it."
        )


def _check_segments(run: Path) -> None:
    metrics = read_metrics(run) or {}
    if "targets" in metrics and "miou" not in metrics:
        raise DataError(
            f"{run} predicts image-level targets only: there is no mIoU to compare. Omit it."
        )


def _evaluation_folders(home: Path, checkpoint: str) -> list[tuple[str, Path]]:
    """Find the plain evaluations with their splits, those without a number first.

    Plain: without test-time options, on the model's own data, as the directory's name tells.
    """
    prefix = "" if checkpoint == "best" else f"{checkpoint}_"
    folders = []
    for folder in (home / EVALUATION).glob("*"):
        name = re.fullmatch(re.escape(prefix) + r"([a-z]+)(?:-(\d+))?", folder.name)
        if name is None or name[1] not in COMPARED_SPLITS:
            continue
        complete = (folder / MATRICES).is_file() and finished(folder)  # else still being written
        if complete and _split_of(folder) == name[1]:
            folders.append((name[1], int(name[2] or 1), folder))
    return [(split, folder) for split, _, folder in sorted(folders)]


def _outdated(directory: Path, run: Path) -> str | None:
    """Return why an evaluation is not of a finished run's weights; None where it is."""
    scored, current = ((read_metrics(path) or {}).get("weights") for path in (directory, run))
    if scored and current:
        return None if scored == current else "other weights were scored than the run has now"
    written, ended = ((path / METRICS).stat().st_mtime for path in (directory, run))
    return None if written >= ended else "it is older than the end of the training"


def _single_evaluation(directory: Path) -> Evaluations:
    """Return the evaluation in a directory that `evaluate.py` wrote."""
    home = directory.parent.parent
    run, metrics = run_of(home), read_metrics(directory) or {}
    model = Path(metrics.get("model") or "")
    checkpoint = model.stem if model.suffix == ".ckpt" else "best"
    notes: tuple[str, ...] = ()
    if run and finished(run) and checkpoint == "best":
        scored, current = metrics.get("weights"), (read_metrics(run) or {}).get("weights")
        if scored and current and scored != current:
            notes = (f"{directory} was scored with other weights than the run has now.",)
    if model.suffix in EXPORTED:
        home, checkpoint = home / model.name, model.name
    evaluation = Evaluation(directory, directory, run, home, checkpoint)
    return Evaluations({metrics.get("split", directory.name): (evaluation,)}, notes)


def _split_of(directory: Path) -> str:
    return (read_metrics(directory) or {}).get("split", directory.name)
