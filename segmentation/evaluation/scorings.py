"""Which scorings there are of what a user names, and the split that all of some were scored on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmentation.console import argument
from segmentation.directories import begun, finished
from segmentation.errors import DataError, did_you_mean
from segmentation.evaluation.stored import MATRICES, METRICS
from segmentation.whole_files import read_json

SPLITS = ("test", "val")
"""What is compared, in this order, where nobody says."""
FOLDER = "evaluation"


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


def scorings(named: Path) -> dict[str, Scoring]:
    """Return by split what was scored of a run, of one of its checkpoints, or of a model.

    A directory of `evaluate.py` stands for itself alone. Of a run, a scoring by `evaluate.py` goes
    before that of the training's end on the same split: it is the later one.

    Raises:
        DataError: there is none of these, it is a sweep, or a run that is not finished.
    """
    if not named.exists():
        raise DataError(f"no run {named}. Name run directories: runs=[runs/<one>,runs/<other>].")
    if (named / "jobs.csv").is_file():
        raise DataError(f"{named} is a sweep: type {argument('sweep', named)} in place of runs=.")
    if named.is_dir() and named.parent.name == FOLDER and (named / MATRICES).is_file():
        return {_split(named): _by_evaluate(named)}
    run, checkpoint = _run(named)
    home = run or (named.parent if named.is_file() else named)
    begin = "" if checkpoint == "best" else f"{checkpoint}_"
    found = {
        split: Scoring(named, folder, run, named, checkpoint)
        for split in SPLITS
        if (folder := home / FOLDER / f"{begin}{split}").joinpath(MATRICES).is_file()
    }
    if run is not None and checkpoint == "best" and (run / MATRICES).is_file() and finished(run):
        found.setdefault(_split(run), Scoring(named, run, run, named))
    if not found and run is not None and not finished(run):
        raise DataError(
            f"{run} is not finished, and nothing of it was scored. Go on with it: "
            f"python train.py {argument('resume', run)}; or leave it out."
        )
    if not found and run is not None and "targets" in _metrics(run) and "miou" not in _metrics(run):
        raise DataError(
            f"{run} predicts image-level targets alone: there is no mIoU to compare. Leave it out."
        )
    return found


def common_split(found: Mapping[Path, Mapping[str, Any]], wanted: str | None) -> str:
    """Return the split to compare on: what all were scored on, test before val.

    Args:
        found: what was named, and its scorings by split.
        wanted: the split to take, None for any.

    Raises:
        DataError: it is none; the message says what each has, and what to type.
    """
    if wanted and wanted not in SPLITS and not any(wanted in one for one in found.values()):
        hint = did_you_mean(wanted, SPLITS)
        raise DataError(f"no run was scored on split={wanted}.{hint} Leave it away, or name one.")
    first = [*SPLITS, *dict.fromkeys(split for one in found.values() for split in one)]
    for split in [wanted] if wanted else first:
        if all(split in one for one in found.values()):
            return split
    most = wanted or max(first, key=lambda split: sum(split in one for one in found.values()))
    has = [f"{named}: {', '.join(sorted(one)) or 'nothing'}" for named, one in found.items()]
    lacking = [named for named, one in found.items() if most not in one]
    asked = f"split={wanted}" if wanted else "one split"
    raise DataError(
        "\n  ".join([f"the runs were not all scored on {asked}. Scored are:", *has])
        + "\n  ".join(["\nScore what is missing:", *(_evaluate(one, most) for one in lacking)])
    )


def _evaluate(named: Path, split: str) -> str:
    run = named.parent.parent if named.parent.name == FOLDER else named
    return f"python evaluate.py {argument('run', run)} split={split}"


def _run(named: Path) -> tuple[Path | None, str]:
    """Return the run that something belongs to, and the checkpoint that it is."""
    if named.parent.name == "checkpoints":
        run, checkpoint = named.parent.parent, named.stem
    elif named.name == "model" and named.is_dir():
        run, checkpoint = named.parent, "best"
    else:
        run, checkpoint = named, "best"
    return (run if begun(run) else None), checkpoint


def _by_evaluate(directory: Path) -> Scoring:
    """Return the scoring in a directory that `evaluate.py` has written."""
    home = directory.parent.parent
    scored = Path(str(_metrics(directory).get("model", "")))
    checkpoint = scored.stem if scored.suffix == ".ckpt" else "best"
    return Scoring(directory, directory, home if begun(home) else None, home, checkpoint)


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
