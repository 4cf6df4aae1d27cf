"""Choose what is compared: a split that all runs share, and one evaluation of each run."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from segmentation.console import argument, typed
from segmentation.errors import DataError, did_you_mean
from segmentation.evaluation.comparison.find_evaluations import (
    COMPARED_SPLITS,
    Evaluation,
    Evaluations,
)
from segmentation.runs.directory import EVALUATION
from segmentation.runs.per_image_file import read_scored

Data = tuple[frozenset[str], tuple[str, ...], str | None]
"""The scored data: names of the images, classes, and the fingerprint where it is known."""


def common_split(by_path: Mapping[Path, Evaluations], wanted: str | None) -> str:
    """Choose the split to compare on: one that every run was scored on, test before val.

    Args:
        by_path: the evaluations of each path that the user named.
        wanted: the split that the user asks for, None for any.

    Raises:
        DataError: no split is common; the message lists each run's splits and what to type.
    """
    splits = {named: evaluations.splits for named, evaluations in by_path.items()}
    known = {*COMPARED_SPLITS, *(split for scored in splits.values() for split in scored)}
    if wanted and wanted not in known:
        hint = did_you_mean(wanted, COMPARED_SPLITS)
        raise DataError(f"no run was scored on split={wanted}.{hint} Omit it, or name another.")
    others = [split for scored in splits.values() for split in scored]
    candidates = [wanted] if wanted else list(dict.fromkeys([*COMPARED_SPLITS, *others]))
    count = {split: sum(split in scored for scored in splits.values()) for split in candidates}
    most = max(candidates, key=lambda split: count[split])
    if count[most] < len(splits):
        raise DataError(_no_common_split(by_path, wanted, most))
    return most


def _no_common_split(by_path: Mapping[Path, Evaluations], wanted: str | None, most: str) -> str:
    lines = [f"the runs were not all scored on {f'split={wanted}' if wanted else 'one split'}."]
    lines[0] += " Scored are:"
    for named, evaluations in by_path.items():
        lines.append(f"  {named}: {', '.join(sorted(evaluations.splits)) or 'nothing'}")
    lines += [f"  {note}" for evaluations in by_path.values() for note in evaluations.notes]
    lines.append("Score what is missing:")
    for named, evaluations in by_path.items():
        if most not in evaluations.splits:
            run = named.parent.parent if named.parent.name == EVALUATION else named
            lines.append(f"  {typed('evaluate')} {argument('run', run)} split={most}")
    return "\n".join(lines)


def choose_evaluations(
    by_path: Mapping[Path, Sequence[Evaluation]],
) -> tuple[list[Evaluation], list[str]]:
    """Choose one evaluation of each run, on the same images where possible; also return notes.

    Where the data changed, a run has evaluations on both versions. The version that most runs were
    scored on is taken, on a tie the one scored last. A run without an evaluation on it keeps its
    newest; `comparable` decides whether that can be compared.

    Args:
        by_path: the evaluations of one split by what the user named, the preferred one first.
    """
    if all(len(evaluations) == 1 for evaluations in by_path.values()):
        return [evaluations[0] for evaluations in by_path.values()], []
    chosen, notes = [], []
    data = {
        evaluation: _read_data(evaluation)
        for evaluations in by_path.values()
        for evaluation in evaluations
    }
    wanted = _most_common(by_path, data)
    reason = "on the same images as the others" if len(by_path) > 1 else "the newest"
    for evaluations in by_path.values():
        fitting = [evaluation for evaluation in evaluations if _same(data[evaluation], wanted)]
        newest = max(evaluations, key=lambda evaluation: evaluation.written)
        chosen.append(fitting[0] if fitting else newest)
        if chosen[-1] != evaluations[0]:
            directory = chosen[-1].directory
            notes.append(f"Of several evaluations {directory} is compared: {reason}.")
    return chosen, notes


def _most_common(
    by_path: Mapping[Path, Sequence[Evaluation]], data: Mapping[Evaluation, Data | None]
) -> Data | None:
    """Return the data that most runs were scored on, on a tie the one scored last."""
    count: Counter[Data] = Counter()
    for evaluation in sorted(data, key=lambda evaluation: -evaluation.written):
        candidate = data[evaluation]
        if candidate is not None and candidate not in count:
            count[candidate] = sum(
                any(_same(data[other], candidate) for other in evaluations)
                for evaluations in by_path.values()
            )
    return max(count, key=lambda candidate: count[candidate], default=None)


def _read_data(evaluation: Evaluation) -> Data | None:
    """Return the scored data; None where it cannot be read."""
    try:
        images = read_scored(evaluation.directory)
    except DataError:
        return None
    return frozenset(images.names), images.classes, images.data_fingerprint


def _same(first: Data | None, second: Data | None) -> bool:
    """Return whether two evaluations are of the same data; an unknown fingerprint fits any."""
    if first is None or second is None or first[:2] != second[:2]:
        return False
    return first[2] == second[2] or None in (first[2], second[2])
