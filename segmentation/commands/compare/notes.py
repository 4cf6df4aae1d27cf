"""Notes for the reader of a comparison on how its runs were trained."""

from collections.abc import Mapping, Sequence

from segmentation.commands.compare.compared_run import ComparedRun
from segmentation.evaluation.comparison.naming import differing, repeats


def run_notes(contenders: Mapping[str, Sequence[ComparedRun]], split: str) -> list[str]:
    """Return notes on the runs of each contender."""
    notes = []
    if split == "val":
        notes.append(
            "Scored on val, which also chose the epoch of each run: scores are a little too high. "
            "Decide on test where there is one."
        )
    for name, runs in contenders.items():
        notes += _seed_notes(name, runs)
    return notes


def _seed_notes(name: str, runs: Sequence[ComparedRun]) -> list[str]:
    """Return notes on runs of one contender, which should differ in their seed alone."""
    notes = []
    if others := differing([run.settings or {} for run in runs]):
        notes.append(f"The runs named {name} differ in more than their seed: {', '.join(others)}.")
    repeated = [repeats(run.settings or {}) for run in runs]
    if len(runs) > 1 and any("data.fold" in settings for settings in repeated):
        notes.append(f"The runs of {name} are of several folds: each was trained on other images.")
    known = [repr(repeats(run.settings or {})) for run in runs if run.settings is not None]
    if len(set(known)) < len(known):
        notes.append(
            f"Runs of {name} have the same seed: they differ by less than other seeds would."
        )
    return notes
