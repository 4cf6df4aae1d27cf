"""Which of some models is better on a test set, and whether the test set can tell."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np

from segmentation.errors import ConfigError, DataError
from segmentation.evaluation.comparison.comparable import comparable
from segmentation.evaluation.comparison.effect import effect
from segmentation.evaluation.comparison.result import Comparison, Difference, EntryScores, Winner
from segmentation.evaluation.comparison.seeds import (
    SeededRuns,
    difference_of,
    exact_test,
    plan_seeds,
)
from segmentation.evaluation.statistics.bootstrap import sample
from segmentation.evaluation.statistics.correction import Correction, adjust, describe, enough
from segmentation.evaluation.statistics.intervals import ALPHA, estimates, p_values
from segmentation.evaluation.statistics.plan import FEWEST_RESAMPLES, plan
from segmentation.evaluation.statistics.resampling import Resampling
from segmentation.runs.scored_images import ScoredImages

MOST_VALUES = 10**8
"""Resampled scores of all pairs together: more would take minutes to sort, and gigabytes."""

FEW_SEEDS = 3
"""With fewer, the spread between seeds has one degree of freedom: t is 12.7 at 95%."""


def compare(
    entries: Mapping[str, Sequence[ScoredImages]],
    by: Literal["auto", "image", "block"] = "auto",
    groups: Mapping[str, str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    correction: Correction = "holm",
    repeats: Mapping[str, Sequence[str]] | None = None,
) -> Comparison:
    """Compare models by mIoU and by class with a paired bootstrap.

    Every resample draws the same images for all runs, so what makes an image hard for all of them
    cancels. p-values invert the intervals (see `p_values`) and are corrected for all pairs of
    entries, not for the pairs with the best alone: which entry is best is read off the same images.
    The result does not depend on the order of entries, of runs or of images.

    Args:
        entries: by name, the runs of each: one, or one for each seed.
        by, seed: see `plan`.
        resamples: how many at least; more are taken where many pairs and classes need them, as far
            as `MOST_VALUES` lets.
        groups: the sequence of each image by its name, where it is known; see `plan`.
        correction: of the p-values, see `adjust`.
        repeats: what tells each run of an entry from its others, such as the seed; entries that
            have all of these in common have paired seeds. None: nothing is known.

    Raises:
        ConfigError: there is nothing to compare.
        DataError: runs differ in images, labels, class tables or void policies; an image without
            a sequence.
    """
    if not entries or not all(entries.values()):
        raise ConfigError("nothing to compare: name at least one run for each entry.")
    labelled = {
        name if len(runs) == 1 else f"{name} (run {number})": run
        for name, runs in entries.items()
        for number, run in enumerate(runs, 1)
    }
    aligned = list(comparable(labelled).values())
    names = aligned[0].names
    sequence = None if groups is None else _groups_of(names, groups)
    classes = aligned[0].classes
    number = _resamples(len(entries), len(classes), resamples)
    resampling = plan(aligned, by, sequence, number, seed)

    # The entries by falling mIoU
    ordered = _by_score(entries, aligned, resampling, repeats or {})
    lines = [_entry(runs, resampling) for runs in ordered.values()]
    pairs = _differences(ordered, resampling, classes, correction)
    best, *others = ordered.values()
    return Comparison(
        entries=tuple(lines),
        pairs=pairs,
        effects={other.name: effect(other.images, best.images) for other in others},
        winners=_winners(lines, pairs, classes),
        plan=plan_seeds(list(ordered.values()), resampling, max(1, len(pairs))),
        correction=describe(correction, len(pairs)) if pairs else "",
        resampling=resampling.describe(),
        notes=(*resampling.notes, *_notes(lines, pairs, number)),
    )


def _by_score(
    entries: Mapping[str, Sequence[ScoredImages]],
    aligned: Sequence[ScoredImages],
    resampling: Resampling,
    repeats: Mapping[str, Sequence[str]],
) -> dict[str, SeededRuns]:
    """Resample the runs of each entry; entries by falling mIoU.

    Args:
        entries, repeats: as in `compare`.
        aligned: all runs of all entries, with their images in one order.
        resampling: of these images.
    """
    sampled = iter(zip(sample(aligned, resampling), aligned, strict=True))
    seeded = [
        SeededRuns.of(name, [next(sampled) for _ in runs], repeats.get(name), resampling.seed)
        for name, runs in entries.items()
    ]
    seeded.sort(key=lambda runs: (-np.nan_to_num(runs.together.value[-1]), runs.name))
    return {runs.name: runs for runs in seeded}


def _resamples(entries: int, classes: int, least: int) -> int:
    """Return how many resamples let any pair of entries be told apart in a single class."""
    pairs = entries * (entries - 1) // 2
    if least < FEWEST_RESAMPLES:  # for `plan` to refuse
        return least
    most = MOST_VALUES // max(1, pairs * (classes + 1))
    return max(least, min(enough(pairs * classes, least), most))


def _groups_of(names: Sequence[str], groups: Mapping[str, str]) -> list[str]:
    if missing := [name for name in names if name not in groups]:
        raise DataError(
            f"{len(missing)} of {len(names)} images have no sequence, such as {missing[0]}. "
            "Give one for each, or none at all."
        )
    return [groups[name] for name in names]


def _entry(runs: SeededRuns, resampling: Resampling) -> EntryScores:
    sampled, count = runs.together, len(runs.images)
    *classes, miou = estimates(sampled, resampling, (0.0, 1.0))
    variance = sampled.seeds[0][0][-1] * count if sampled.seeds else np.nan
    named = dict(zip(runs.images[0].classes, classes, strict=True))
    return EntryScores(runs.name, count, miou, float(np.sqrt(variance)), named)


def _differences(
    entries: Mapping[str, SeededRuns],
    resampling: Resampling,
    classes: Sequence[str],
    correction: Correction,
) -> dict[tuple[str, str], Difference]:
    """Return each entry's difference to every better one."""
    pairs = [(entries[first], entries[second]) for second, first in combinations(entries, 2)]
    if not pairs:
        return {}
    estimated, values = [], []
    for first, second in pairs:
        difference = difference_of(first, second)
        estimated.append(estimates(difference, resampling, (-1.0, 1.0)))
        values.append(p_values(difference, resampling))
    p = np.array(values)
    of_miou, of_classes = adjust(p[:, -1], correction), adjust(p[:, :-1], correction)
    differences = {}
    for i, (first, second) in enumerate(pairs):
        *by_class, miou = estimated[i]
        differences[first.name, second.name] = Difference(
            first=first.name,
            second=second.name,
            seeds=(len(first.images), len(second.images)),
            miou=miou,
            p=float(p[i, -1]),
            p_corrected=float(of_miou[i]),
            classes=dict(zip(classes, by_class, strict=True)),
            classes_p_corrected=dict(zip(classes, of_classes[i].tolist(), strict=True)),
            over_seeds=exact_test(first, second),
        )
    return differences


def _winners(
    entries: Sequence[EntryScores],
    pairs: Mapping[tuple[str, str], Difference],
    classes: Sequence[str],
) -> dict[str, Winner]:
    winners = {}
    for name in classes:
        scores = {entry.name: entry.classes[name].value for entry in entries}
        known = [entry for entry, score in scores.items() if not np.isnan(score)]
        if not known:
            winners[name] = Winner(None, ())
            continue
        best = max(known, key=lambda entry: scores[entry])
        rivals = []
        for other in known:
            pair = pairs.get((other, best)) or pairs.get((best, other))
            if pair and not pair.classes_p_corrected[name] <= ALPHA:
                rivals.append(other)
        winners[name] = Winner(best, tuple(rivals))
    return winners


def _notes(
    entries: Sequence[EntryScores], pairs: Mapping[tuple[str, str], Difference], resamples: int
) -> tuple[str, ...]:
    notes = []
    if single := [entry.name for entry in entries if entry.seeds == 1]:
        notes.append(
            f"One run only of {'; '.join(single)}: what another seed would change is not in "
            "its intervals. Verdicts on it are about the trained models, not about encoders or "
            "recipes: another seed can turn the order round. Train it with seed=1, seed=2, ... too."
        )
    if few := [entry.name for entry in entries if 1 < entry.seeds < FEW_SEEDS]:
        notes.append(
            f"Few seeds of {'; '.join(few)}: how much seeds differ is guessed from so few, so "
            "intervals are wide, of single classes most of all (Student's t). One run has narrower "
            "ones because they leave the seeds out, not because it tells more."
        )
    by_class = sum(
        not np.isnan(p) for pair in pairs.values() for p in pair.classes_p_corrected.values()
    )
    for comparisons, kind in ((len(pairs), "comparisons"), (by_class, "comparisons by class")):
        if 2 * comparisons / (resamples + 1) > ALPHA:
            notes.append(
                f"{resamples:,} resamples are too few for {comparisons:,} {kind}: none can be told "
                f"from chance. Take resamples={enough(comparisons)}, or compare fewer at a time."
            )
    return tuple(notes)
