"""Select the evaluations to compare, and group their runs into contenders.

All mistakes in the selection are reported here, before torch is imported.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from segmentation.commands.compare.compared_run import ComparedRun, read_compared_run
from segmentation.console import typed
from segmentation.errors import ConfigError, DataError
from segmentation.evaluation.comparison import naming
from segmentation.evaluation.comparison.choose_evaluations import choose_evaluations, common_split
from segmentation.evaluation.comparison.find_evaluations import find_evaluations
from segmentation.runs.directory import EXPORTED


def select_runs(
    directories: Sequence[Path], split: str | None, names: Sequence[str] | None
) -> tuple[str, list[ComparedRun], list[str]]:
    """Return the split to compare on, the runs with their scores, and notes on the selection.

    Args:
        directories: of runs, models or evaluations.
        split: val or test; None: the one that all were scored on, test before val.
        names: one for each run; None for none.

    Raises:
        ConfigError, DataError: a run without scores, a run named twice, no common split, or another
            number of names than of runs.
    """
    if names is not None and (not isinstance(names, list) or len(names) != len(directories)):
        raise ConfigError(
            f"names={names}: give one for each of the {len(directories)} runs; runs with the same "
            "name are seeds of one contender."
        )
    evaluations = {}
    for path in directories:
        if path in evaluations:
            raise ConfigError(f"{path} is named twice. Name each run once.")
        evaluations[path] = find_evaluations(path)
    common = common_split(evaluations, split)
    chosen, notes = choose_evaluations(
        {path: of_run.splits[common] for path, of_run in evaluations.items()}
    )
    runs = [
        read_compared_run(evaluation, str(names[index]) if names else None)
        for index, evaluation in enumerate(chosen)
    ]
    _check_distinct(runs)
    _check_folds(runs)
    omitted = [note for of_run in evaluations.values() for note in of_run.notes]
    return common, runs, [*omitted, *notes]


def _check_distinct(runs: Sequence[ComparedRun]) -> None:
    named: dict[Path, Path] = {}
    for run in runs:
        directory = run.evaluation.directory.resolve()
        if directory in named:
            raise ConfigError(
                f"{named[directory]} and {run.evaluation.named} are the same run. Name each run "
                "once."
            )
        named[directory] = run.evaluation.named


def _check_folds(runs: Sequence[ComparedRun]) -> None:
    folds = {repr((run.settings or {}).get("data.fold")) for run in runs}
    if len(folds) > 1 and len({frozenset(run.images.names) for run in runs}) > 1:
        raise DataError(
            "the runs are of different folds (data.fold), and each was scored on its own part of "
            "the data: no image is scored by two of them. Compare runs of one fold, or score all "
            f"on a split that is in no fold: {typed('evaluate')} run=... split=test"
        )


def group_contenders(runs: Sequence[ComparedRun]) -> dict[str, list[ComparedRun]]:
    """Return the runs of each contender by its name.

    Raises:
        DataError: a contender has a run and its copy.
    """
    if runs[0].name is not None:
        named: dict[str, list[ComparedRun]] = {}
        for run in runs:
            named.setdefault(str(run.name), []).append(run)
        return named

    # Without a configuration nothing tells which model it is: such a run is its own contender.
    known = [run for run in runs if run.settings is not None]
    groups = [
        [known[index] for index in indices]
        for indices in naming.group_runs([run.settings or {} for run in known])
    ]
    for group in groups:
        _check_copies(group)
    words = naming.names([g[0].settings or {} for g in groups], [g[0].typed for g in groups])
    groups += [[run] for run in runs if run.settings is None]
    words += [_folder(run) for run in runs if run.settings is None]
    count = Counter(words)
    return {
        word if count[word] == 1 and word else f"{word} {_folder(group[0])}".strip(): group
        for word, group in zip(words, groups, strict=True)
    }


def _check_copies(group: Sequence[ComparedRun]) -> None:
    seen: dict[str, ComparedRun] = {}
    for run in group:
        key = repr(naming.repeats(run.settings or {}))
        other = seen.setdefault(key, run)
        if other is not run and (
            other.images.names == run.images.names
            and (other.images.confusion == run.images.confusion).all()
        ):
            raise DataError(
                f"{other.evaluation.named} and {run.evaluation.named} have the same settings, the "
                "same seed and the same predictions: they are one run. Omit one of them."
            )


def _folder(run: ComparedRun) -> str:
    home = run.evaluation.run or run.evaluation.model
    path = home.resolve()
    return f"{path.parent.name}/{path.name}" if path.suffix in EXPORTED else path.name
