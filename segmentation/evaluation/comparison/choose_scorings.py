"""What is compared of all that was scored: one split of all, and of each one scoring."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from segmentation.console import argument
from segmentation.errors import DataError, did_you_mean
from segmentation.evaluation.comparison.find_scorings import SPLITS, Found, Scoring
from segmentation.runs.directory import EVALUATION
from segmentation.runs.scored_images import read_scored

Data = tuple[frozenset[str], tuple[str, ...], str | None]
"""What was scored: the names of the images, the classes, the fingerprint where it is known."""


def common_split(found: Mapping[Path, Found], wanted: str | None) -> str:
    """Return the split to compare on: what all were scored on, test before val.

    Args:
        found: what was named, and its scorings.
        wanted: the split to take, None for any.

    Raises:
        DataError: it is none; the message says what each has, and what to type.
    """
    splits = {named: one.splits for named, one in found.items()}
    if wanted and wanted not in SPLITS and not any(wanted in one for one in splits.values()):
        hint = did_you_mean(wanted, SPLITS)
        raise DataError(f"no run was scored on split={wanted}.{hint} Leave it away, or name one.")
    first = [*SPLITS, *dict.fromkeys(split for one in splits.values() for split in one)]
    for split in [wanted] if wanted else first:
        if all(split in one for one in splits.values()):
            return split
    most = wanted or max(first, key=lambda split: sum(split in one for one in splits.values()))
    has = [f"{named}: {', '.join(sorted(one)) or 'nothing'}" for named, one in splits.items()]
    notes = [note for one in found.values() for note in one.notes]
    lacking = [named for named, one in splits.items() if most not in one]
    asked = f"split={wanted}" if wanted else "one split"
    raise DataError(
        "\n  ".join([f"the runs were not all scored on {asked}. Scored are:", *has, *notes])
        + "\n  ".join(["\nScore what is missing:", *(_evaluate(one, most) for one in lacking)])
    )


def choose(found: Mapping[Path, Sequence[Scoring]]) -> tuple[list[Scoring], list[str]]:
    """Return one scoring of each, made on the same images as far as there are such, and notes.

    Where the data were changed, a run has scorings on both. The images are taken that most runs
    were scored on, of equally many the ones that were scored last. A run without has its newest
    scoring taken; whether it can be compared is for others to say.

    Args:
        found: what was named, and its scorings of one split; what is to be taken goes first.
    """
    if all(len(some) == 1 for some in found.values()):
        return [some[0] for some in found.values()], []
    latest = sorted((one for some in found.values() for one in some), key=lambda one: -one.written)
    data = {one: _data(one) for one in latest}
    count: Counter[Data] = Counter()
    for what in dict.fromkeys(filter(None, data.values())):
        count[what] = sum(any(_same(data[one], what) for one in some) for some in found.values())
    wanted = max(count, key=lambda what: count[what], default=None)
    chosen = []
    for some in found.values():
        fitting = [one for one in some if _same(data[one], wanted)]
        chosen.append(fitting[0] if fitting else min(some, key=latest.index))
    other = [
        str(one.directory) for one, some in zip(chosen, found.values(), strict=True)
        if one != some[0]
    ]  # fmt: skip
    why = "on the same images as the others" if len(found) > 1 else "the newest"
    return chosen, [f"Of several scorings {one} is compared: {why}." for one in other]


def _data(scoring: Scoring) -> Data | None:
    """Return what was scored; None where that cannot be read."""
    try:
        images = read_scored(scoring.directory)
    except DataError:
        return None
    return frozenset(images.names), images.classes, images.data_fingerprint


def _same(one: Data | None, other: Data | None) -> bool:
    if one is None or other is None or one[:2] != other[:2]:
        return False
    return one[2] == other[2] or None in (one[2], other[2])


def _evaluate(named: Path, split: str) -> str:
    run = named.parent.parent if named.parent.name == EVALUATION else named
    return f"python evaluate.py {argument('run', run)} split={split}"
