"""What seeds tell of a difference, and how many would: in sentences and a table of texts."""

from itertools import count
from math import comb

from segmentation.evaluation.comparison.result import Comparison, Difference
from segmentation.evaluation.statistics.intervals import ALPHA
from segmentation.evaluation.statistics.seeds import COUNTS, EFFECTS, WANTED, SeedPlan


def spread_words(plan: SeedPlan) -> str:
    """Describe the spread that a plan rests on."""
    ends = plan.interval
    return (
        f"Seeds of a contender have an SD of {100 * plan.deviation:.1f} points, which so few know "
        f"only to lie between {100 * ends.low:.1f} and {100 * ends.high:.1f} (95% CI). Power is "
        f"simulated from it, for a difference found at p <= {plan.level:.2g}"
        f"{'' if plan.level == ALPHA else f', so that it passes the correction of {ALPHA}'}."
    )


def exact_words(difference: Difference) -> str:
    """Describe the exact test over seeds; empty if a contender has one run."""
    test = difference.over_seeds
    if test is None:
        return ""
    kind = "sign-flip" if test.paired else "permutation"
    text = f"Over seeds alone, on these images, an exact {kind} test gives p = {test.p:.2g}"
    if test.least > ALPHA:
        text += (
            f"; with so few seeds it can never go below {test.least:.2g}, so never reach {ALPHA}: "
            f"that takes {_fewest(test.paired)} seeds each"
        )
    return f"{text}."


def plan_words(plan: SeedPlan, name: str) -> str:
    """Describe how many seeds would show the difference of a contender to the best."""
    seen, seeds = abs(plan.seen[name]), plan.enough(name)
    words = f"a difference of {100 * seen:.1f} points in {WANTED:.0%} of trials"
    if seeds is not None:
        return f"With {seeds} seeds each one would find {words}."
    if plan.power[name][-1][0] < WANTED:
        return f"No number of seeds would find {words}: it takes more images."
    return f"It takes more than {COUNTS[-1]} seeds each to find {words}."


def plan_columns(plan: SeedPlan, name: str) -> dict[str, list[str]]:
    """Return the power of numbers of seeds, in per cent, for the difference seen and others."""
    effects = (abs(plan.seen[name]), *EFFECTS)
    seen = f"{100 * effects[0]:.1f} (seen)"
    heads = [seen, *(f"{100 * effect:.0f} point{'s' * (effect > 0.01)}" for effect in EFFECTS)]
    columns = {"seeds each": [*map(str, COUNTS), "any number"]}
    for place, head in enumerate(heads):
        columns[head] = [f"{row[place]:.0%}" for row in plan.power[name]]
    return columns


def effect_words(comparison: Comparison, name: str) -> str:
    """Describe where the difference of a contender to the best comes from."""
    effect = comparison.effects[name]
    return f"{effect.words}; most by {effect.named_classes()}"


def _fewest(paired: bool) -> int:
    """Return the number of seeds each with which an exact test can reach `ALPHA`."""
    ways = (lambda n: 2**n) if paired else (lambda n: comb(2 * n, n))
    return next(n for n in count(2) if 2 / ways(n) <= ALPHA)
