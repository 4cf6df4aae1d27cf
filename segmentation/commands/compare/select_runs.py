"""From what a user names to the runs that take part in a comparison, and which are one contender.

All that can be wrong is found here, before anything is computed and before torch is imported.
"""

import glob
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from segmentation.commands.compare.compared_run import Taking, take
from segmentation.console import argument, typed
from segmentation.errors import ConfigError, DataError, listed
from segmentation.evaluation.comparison import naming
from segmentation.evaluation.comparison.choose_evaluations import choose_evaluations, common_split
from segmentation.evaluation.comparison.find_evaluations import find_evaluations
from segmentation.evaluation.comparison.naming import differing, repeats
from segmentation.runs.directory import MATRICES, begun, finished
from segmentation.sweep.jobs.state import read_job
from segmentation.system.files import read_json

USAGE = "Type runs=[<run>,<run>,...] or sweep=<directory of a sweep>."


def named_runs(runs: str | Sequence[str] | None, sweep: str | None) -> tuple[list[Path], list[str]]:
    """Return what the user means, and in words what of it is left out.

    Args:
        runs: paths; those with ``*`` or ``?`` stand for the runs that fit.
        sweep: the directory of a sweep.

    Raises:
        ConfigError, DataError: nothing is named, or nothing is there.
    """
    if (runs is None) == (sweep is None):
        raise ConfigError(f"name what is to be compared, one way. {USAGE}")
    if sweep is not None:
        return _of_sweep(Path(sweep).expanduser())
    words = [runs] if isinstance(runs, str) else list(runs or ())
    if not words or not all(isinstance(word, str) for word in words):
        raise ConfigError(f"runs={words}: expected a list of directories. {USAGE}")
    found: list[Path] = []
    left_out: list[str] = []
    for word in words:
        path = Path(word).expanduser()
        if path.exists() or not glob.has_magic(word):
            found.append(path)
            continue
        fitting = [Path(one) for one in sorted(glob.glob(str(path)))]
        fitting = [one for one in fitting if begun(one) or (one / MATRICES).is_file()]
        if not fitting:
            raise DataError(f"no run fits {word}. {USAGE}")
        for one in fitting:
            if begun(one) and not finished(one):
                left_out.append(f"{one.name} (not finished)")
            else:
                found.append(one)
    if not found:
        raise DataError(f"none of the runs is finished: {listed(left_out)}.")
    return found, left_out


def _of_sweep(directory: Path) -> tuple[list[Path], list[str]]:
    if not directory.is_dir():
        raise DataError(f"sweep={directory}: there is no such directory.")
    found, left_out = [], []
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        try:
            job = read_job(folder)
        except ValueError as error:
            raise DataError(f"{folder / 'job.json'} is damaged: {error}") from error
        if job is None:
            continue
        if job.state == "finished":
            found.append(folder)
        else:
            left_out.append(f"{folder.name} ({job.state})")
    if found:
        return found, left_out
    if left_out:
        raise DataError(f"no job of {directory} is finished: {listed(left_out)}.")
    runs = argument("runs", [f"{directory}/*"])
    raise DataError(f"{directory} is no sweep: it has no jobs. For a folder of runs type {runs}.")


def take_part(
    named: Sequence[Path], split: str | None, names: Sequence[str] | None
) -> tuple[str, list[Taking], list[str]]:
    """Return the split that is compared, the runs with their scores, and notes on the choice.

    Raises:
        ConfigError, DataError: a run without scores, or twice; no common split; names that do not
            fit.
    """
    if names is not None and (isinstance(names, str) or len(names) != len(named)):
        raise ConfigError(
            f"names={names}: give one for each of the {len(named)} runs; runs with the same name "
            "are seeds of one contender."
        )
    found = {}
    for path in named:
        if path in found:
            raise ConfigError(f"{path} is named twice. Name each run once.")
        found[path] = find_evaluations(path)
    common = common_split(found, split)
    chosen, notes = choose_evaluations({path: one.splits[common] for path, one in found.items()})
    taking = [take(one, str(names[place]) if names else None) for place, one in enumerate(chosen)]
    where: dict[Path, Path] = {}
    for run in taking:
        directory = run.evaluation.directory.resolve()
        if directory in where:
            raise ConfigError(
                f"{where[directory]} and {run.evaluation.named} are the same run. "
                "Name each run once."
            )
        where[directory] = run.evaluation.named
    _check_folds(taking)
    return common, taking, [*(note for one in found.values() for note in one.notes), *notes]


def _check_folds(taking: Sequence[Taking]) -> None:
    folds = {repr((run.settings or {}).get("data.fold")) for run in taking}
    if len(folds) > 1 and len({frozenset(run.images.names) for run in taking}) > 1:
        raise DataError(
            "the runs are of different folds (data.fold), and each was scored on its own part of "
            "the data: no image is scored by two of them. Compare runs of one fold, or score all "
            f"on a split that is in no fold: {typed('evaluate')} run=... split=test"
        )


def contenders(taking: Sequence[Taking]) -> dict[str, list[Taking]]:
    """Return the runs of each contender by its name.

    Raises:
        DataError: one contender has the same run twice, as a copy.
    """
    if taking[0].name is not None:
        typed: dict[str, list[Taking]] = {}
        for run in taking:
            typed.setdefault(str(run.name), []).append(run)
        return typed
    # Without a configuration nothing says what a model is: each is a contender of its own.
    known = [run for run in taking if run.settings is not None]
    groups = [
        [known[place] for place in places]
        for places in naming.together([run.settings or {} for run in known])
    ]
    for group in groups:
        _check_copies(group)
    words = naming.names([g[0].settings or {} for g in groups], [g[0].typed for g in groups])
    groups += [[run] for run in taking if run.settings is None]
    words += [_folder(run) for run in taking if run.settings is None]
    count = Counter(words)
    return {
        word if count[word] == 1 and word else f"{word} {_folder(group[0])}".strip(): group
        for word, group in zip(words, groups, strict=True)
    }


def _check_copies(group: Sequence[Taking]) -> None:
    seen: dict[str, Taking] = {}
    for run in group:
        key = repr(naming.repeats(run.settings or {}))
        other = seen.setdefault(key, run)
        if other is not run and (
            other.images.names == run.images.names
            and (other.images.confusion == run.images.confusion).all()
        ):
            raise DataError(
                f"{other.evaluation.named} and {run.evaluation.named} have the same settings, the "
                "same seed and the same predictions: they are one run. Omit one."
            )


def _folder(run: Taking) -> str:
    home = run.evaluation.run or run.evaluation.model
    return home.resolve().name


RANDOM = "random weights"


def on_runs(together: Mapping[str, Sequence[Taking]], split: str) -> list[str]:
    """Say what a reader must know of how the runs came about."""
    notes = []
    if split == "val":
        notes.append(
            "Scored on val, which also chose the epoch of each run: scores are a little too high. "
            "Decide on test where there is one."
        )
    for name, runs in together.items():
        if others := differing([run.settings or {} for run in runs]):
            notes.append(
                f"The runs named {name} differ in more than their seed: {', '.join(others)}."
            )
        if any("data.fold" in repeats(run.settings or {}) for run in runs) and len(runs) > 1:
            notes.append(f"The runs of {name} are of several folds: each learnt other images.")
        told = [repr(repeats(run.settings or {})) for run in runs if run.settings is not None]
        if len(set(told)) < len(told):
            notes.append(
                f"Runs of {name} have the same seed: what they differ by is less than what other "
                "seeds would."
            )
    starts: dict[str, list[str]] = {}
    for name, runs in together.items():
        for start in {_start(run) for run in runs}:
            starts.setdefault(start, []).append(name)
    if RANDOM in starts and len(starts) > 1:
        notes.append(
            f"The encoders of {', '.join(starts[RANDOM])} began from random weights, "
            "others from trained ones."
        )
    return notes


def _start(run: Taking) -> str:
    """Return what the encoder's weights were at first, as far as it matters."""
    home = run.evaluation.run
    model = run.evaluation.model if home is None else home / "model"
    try:
        encoder = (read_json(model / "config.json") or {}).get("encoder")
    except ValueError:  # it is said with the cost
        encoder = None
    if isinstance(encoder, dict) and isinstance(encoder.get("pretrained"), bool):
        return "not random" if encoder["pretrained"] else RANDOM
    source = str(run.trained.get("encoder_weights", ""))
    return RANDOM if source == "random" or source.startswith("random (") else "not random"
