"""Which scorings there are of what a user names, and which of them are out of date."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmentation.console import argument
from segmentation.errors import DataError
from segmentation.runs.directory import EVALUATION, MATRICES, METRICS, finished, run_of
from segmentation.system.files import read_json

SPLITS = ("test", "val")
"""What is compared, in this order, where nobody says."""


@dataclass(frozen=True)
class Scoring:
    """A directory with the scores of one model on one split.

    Attributes:
        named: what the user named, for messages and for `evaluate.py`.
        directory: it holds the scores.
        run: the run directory of the model; None of a model without.
        model: what the model can be loaded from.
        checkpoint: whose weights were scored.
    """

    named: Path
    directory: Path
    run: Path | None
    model: Path
    checkpoint: str = "best"

    @property
    def written(self) -> float:
        """When it was written, in seconds since 1970."""
        return (self.directory / METRICS).stat().st_mtime


@dataclass(frozen=True)
class Found:
    """What was scored of something.

    Attributes:
        splits: by split, what can be compared; what is to be taken goes first.
        notes: what was left out, and what a reader must know.
    """

    splits: dict[str, tuple[Scoring, ...]]
    notes: tuple[str, ...] = ()


def scorings(named: Path) -> Found:
    """Return what was scored of a run, of one of its checkpoints, or of a model.

    A directory of `evaluate.py` stands for itself alone. Of a run, a scoring by `evaluate.py` goes
    before that of the training's end on the same split, and this before those that have a number
    because the data or an option had changed. A scoring of other weights than the run has now is
    left out: it was made while the training went on, or before it did so.

    Raises:
        DataError: there is none of these, it is a sweep, or a run that is not finished.
    """
    if not named.exists():
        raise DataError(f"no run {named}. Name run directories: runs=[runs/<one>,runs/<other>].")
    if (named / "jobs.csv").is_file():
        raise DataError(f"{named} is a sweep: type {argument('sweep', named)} in place of runs=.")
    if named.is_dir() and named.parent.name == EVALUATION and (named / MATRICES).is_file():
        return _by_evaluate(named)
    run = run_of(named)
    checkpoint = named.stem if named.parent.name == "checkpoints" else "best"
    home = run or (named.parent if named.is_file() else named)
    own = run if run and checkpoint == "best" and finished(run) else None
    found: dict[str, list[Scoring]] = {}
    notes = []
    for split, folder in _folders(home, "" if checkpoint == "best" else f"{checkpoint}_"):
        if own and (why := _out_of_date(folder, own)):
            notes.append(f"{folder} is left out: {why}.")
        else:
            found.setdefault(split, []).append(Scoring(named, folder, run, named, checkpoint))
    if own and (own / MATRICES).is_file():
        same = found.setdefault(_split(own), [])
        later = bool(same) and same[0].directory.name in SPLITS
        same.insert(int(later), Scoring(named, own, own, named))
    if run is not None and not finished(run):
        _check_begun(run, bool(found))
        notes.append(f"The training in {run} is not finished: what it had by then was scored.")
    if not found and own and "targets" in _metrics(own) and "miou" not in _metrics(own):
        raise DataError(
            f"{own} predicts image-level targets alone: there is no mIoU to compare. Leave it out."
        )
    return Found({split: tuple(some) for split, some in found.items()}, tuple(notes))


def _check_begun(run: Path, scored: bool) -> None:
    if not scored:
        raise DataError(
            f"{run} is not finished, and nothing of it was scored. Go on with it: "
            f"python train.py {argument('resume', run)}; or leave it out."
        )


def _folders(home: Path, begin: str) -> list[tuple[str, Path]]:
    """Return the plain scorings by `evaluate.py` with their splits, those without a number first.

    Plain is what has no test-time options and is of the model's own data: the name says so.
    """
    found = []
    for folder in (home / EVALUATION).glob("*"):
        name = re.fullmatch(re.escape(begin) + r"([a-z]+)(?:-(\d+))?", folder.name)
        there = (folder / MATRICES).is_file() and finished(folder)  # else it is being written
        if name is not None and name[1] in SPLITS and there and _split(folder) == name[1]:
            found.append((name[1], int(name[2] or 1), folder))
    return [(split, folder) for split, _, folder in sorted(found)]


def _out_of_date(folder: Path, run: Path) -> str | None:
    """Return why a scoring is not of the weights that a finished run has; None if it is."""
    theirs, ours = (_metrics(one).get("weights") for one in (folder, run))
    if theirs and ours:
        return None if theirs == ours else "other weights were scored than the run has now"
    times = [(one / METRICS).stat().st_mtime for one in (folder, run)]
    return None if times[0] >= times[1] else "it is older than the end of the training"


def _by_evaluate(directory: Path) -> Found:
    """Return the scoring in a directory that `evaluate.py` has written."""
    home = directory.parent.parent
    run, metrics = run_of(home), _metrics(directory)
    scored = Path(str(metrics.get("model", "")))
    checkpoint = scored.stem if scored.suffix == ".ckpt" else "best"
    notes: tuple[str, ...] = ()
    if run and finished(run) and checkpoint == "best":
        theirs, ours = metrics.get("weights"), _metrics(run).get("weights")
        if theirs and ours and theirs != ours:
            notes = (f"{directory} was scored with other weights than the run has now.",)
    one = Scoring(directory, directory, run, home, checkpoint)
    return Found({str(metrics.get("split", directory.name)): (one,)}, notes)


def _split(directory: Path) -> str:
    return str(_metrics(directory).get("split", directory.name))


def _metrics(directory: Path) -> dict[str, Any]:
    try:
        return read_json(directory / METRICS) or {}
    except ValueError as error:
        raise DataError(
            f"{directory / METRICS} is damaged: {error}. Score the run again: python evaluate.py "
            "run=..."
        ) from error
