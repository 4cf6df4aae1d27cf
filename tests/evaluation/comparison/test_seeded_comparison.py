"""What a comparison says of recipes with several seeds, and of single models."""

import numpy as np
import pytest
from populations import Scenes, scored

from segmentation.evaluation.comparison.compare import compare
from segmentation.evaluation.comparison.seed_words import (
    effect_words,
    exact_words,
    plan_columns,
    plan_words,
    spread_words,
)
from segmentation.evaluation.statistics.intervals import Interval
from segmentation.evaluation.statistics.seeds import COUNTS, EFFECTS
from segmentation.report.table import interval, points

pytestmark = pytest.mark.usefixtures("quick_collections")

RESAMPLES = 400


def recipes(seeds, shared=0.0, own=0.1, better=0.0, images=40):
    """Return the runs of two recipes: log-odds vary by what seeds share, and on their own."""
    random = np.random.default_rng(0)
    scenes = Scenes(random, images)
    of_seed = shared * random.normal(size=seeds)
    return {
        name: [
            scored(scenes.predict(by + of_seed[i] + own * random.normal())) for i in range(seeds)
        ]
        for name, by in (("a", 0.0), ("b", better))
    }


def labels(seeds, first=0):
    return [str(first + seed) for seed in range(seeds)]


def width(found):
    (difference,) = found.to_best.values()
    return difference.miou.interval.high - difference.miou.interval.low


def test_eight_shared_seeds_are_paired():
    runs = recipes(8, shared=0.5, own=0.05)
    paired = compare(runs, resamples=RESAMPLES, repeats={"a": labels(8), "b": labels(8)})
    apart = compare(runs, resamples=RESAMPLES, repeats={"a": labels(8), "b": labels(8, 1)})
    unknown = compare(runs, resamples=RESAMPLES)
    assert width(paired) < 0.5 * width(apart)  # what seeds share cancels
    assert width(unknown) == pytest.approx(width(apart), rel=0.2)
    tests = [next(iter(found.to_best.values())).over_seeds for found in (paired, apart, unknown)]
    assert [test.paired for test in tests] == [True, False, False]


def test_fewer_shared_seeds_are_drawn_independently():
    runs = recipes(7, shared=0.5, own=0.05)
    shared = compare(runs, resamples=RESAMPLES, repeats={"a": labels(7), "b": labels(7)})
    apart = compare(runs, resamples=RESAMPLES, repeats={"a": labels(7), "b": labels(7, 1)})
    assert width(shared) == width(apart)
    (difference,) = shared.to_best.values()
    assert difference.over_seeds.paired  # the exact test uses them


def test_pairs_are_of_the_same_seed_in_whatever_order_runs_are_named():
    runs = recipes(8, shared=0.5, own=0.05)
    turned = {"b": runs["b"], "a": runs["a"][::-1]}
    one = compare(runs, resamples=RESAMPLES, repeats={"a": labels(8), "b": labels(8)})
    two = compare(turned, resamples=RESAMPLES, repeats={"a": labels(8)[::-1], "b": labels(8)})
    assert one.pairs == two.pairs


def test_recipes_with_a_clear_difference_are_called_better_and_worse():
    found = compare(recipes(3, better=1.0), resamples=RESAMPLES)
    (difference,) = found.to_best.values()
    assert difference.compares == "recipes"
    assert difference.verdict.startswith("worse than b by ")
    assert found.single == []
    assert exact_words(difference) == (
        "Over seeds alone, on these images, an exact permutation test gives p = 0.1; with so few "
        "seeds it can never go below 0.1, so never reach 0.05: that takes 4 seeds each."
    )


def test_three_shared_seeds_say_what_a_sign_flip_test_would_take():
    found = compare(
        recipes(3, better=1.0), resamples=RESAMPLES, repeats={"a": labels(3), "b": labels(3)}
    )
    (difference,) = found.to_best.values()
    assert exact_words(difference).endswith(
        "an exact sign-flip test gives p = 0.25; with so few seeds it can never go below 0.25, so "
        "never reach 0.05: that takes 6 seeds each."
    )


def test_a_mean_against_one_model_is_about_models():
    runs = recipes(3, better=-1.0)
    found = compare({"a": runs["a"][:1], "b": runs["b"]}, resamples=RESAMPLES)
    (difference,) = found.to_best.values()
    assert difference.verdict.startswith("its 3 models score on average ")
    assert " points below that of a [" in difference.verdict
    assert found.single == ["a"]
    assert exact_words(difference) == ""
    turned = compare({"a": runs["a"], "b": runs["b"][:1]}, resamples=RESAMPLES)
    assert "this model scores " in turned.to_best["b"].verdict
    assert " below the mean of a's 3 [" in turned.to_best["b"].verdict


def test_corrections_differ_and_an_uncorrected_interval_stands_beside():
    scenes = Scenes(np.random.default_rng(2), 60)
    runs = {f"m{n}": [scored(scenes.predict(0.06 * n, own=0.3))] for n in range(4)}
    by = {how: compare(runs, resamples=2000, correction=how) for how in ("none", "bh", "holm")}
    p = {how: np.array([d.p_corrected for d in found.pairs.values()]) for how, found in by.items()}
    alone = [difference.p for difference in by["holm"].pairs.values()]
    assert p["none"].tolist() == alone
    assert (p["none"] <= p["bh"]).all()
    assert (p["bh"] <= p["holm"]).all()
    assert p["none"].sum() < p["bh"].sum() < p["holm"].sum()
    words = {how: found.correction.split(" pairs")[0] for how, found in by.items()}
    assert words == {
        "none": "p is not corrected for the 6",
        "bh": "p is corrected by Benjamini and Hochberg's method for all 6",
        "holm": "p is corrected by Holm's method for all 6",
    }
    changed = [
        difference
        for difference in by["holm"].pairs.values()
        if not difference.distinguishable and difference.p < difference.p_corrected
    ]
    for difference in changed:
        ends = difference.miou.interval.points()
        assert f"uncorrected 95% CI {ends} and p = {difference.p:.2g}" in difference.verdict
    assert changed


def test_the_plan_says_how_many_seeds_would_show_the_difference():
    found = compare(recipes(3, own=0.15, better=0.12), resamples=RESAMPLES)
    plan = found.plan
    (name,) = plan.seen
    pooled = np.sqrt(np.mean([entry.deviation**2 for entry in found.entries]))
    assert plan.deviation == pytest.approx(pooled)
    rows = np.array(plan.power[name])
    assert rows.shape == (len(COUNTS) + 1, 1 + len(EFFECTS))
    assert (np.diff(rows[:, 1:], axis=1) >= 0).all()  # larger effects are easier
    assert (np.diff(rows, axis=0) >= -0.03).all()  # and so are more seeds
    columns = plan_columns(plan, name)
    assert list(columns) == [
        "seeds each", f"{100 * abs(plan.seen[name]):.1f} (seen)", "1 point", "2 points", "5 points",
    ]  # fmt: skip
    assert columns["seeds each"] == [*map(str, COUNTS), "any number"]
    enough = plan.enough(name)
    assert plan_words(plan, name).startswith(
        f"With {enough} seeds each one would find a difference of "
        if enough
        else ("No number of seeds" if rows[-1, 0] < 0.8 else "It takes more than 30 seeds")
    )
    assert f"an SD of {100 * plan.deviation:.1f} points" in spread_words(plan)
    assert effect_words(found, name).startswith("of 40 images ")


def test_single_models_have_no_plan():
    runs = recipes(1)
    assert compare(runs, resamples=RESAMPLES).plan is None


def test_the_result_is_said_in_a_sentence():
    clear = compare(recipes(3, better=1.5), resamples=RESAMPLES)
    assert clear.summary.startswith("The recipe with the highest mIoU is b, ")
    assert clear.summary.endswith("]; all others are below it by more than chance.")
    runs = recipes(1)
    equal = compare({"a": runs["a"], "b": runs["a"]}, resamples=RESAMPLES)
    assert equal.summary.startswith("The model with the highest mIoU is a, ")
    assert equal.summary.endswith("]; no other can be told from it on this test set.")
    three = compare({"a": runs["a"], "b": runs["a"], "c": recipes(1, better=-1.5)["b"]})
    assert three.summary.endswith("]; not distinguishable from it on this test set: b.")
    assert compare({"a": runs["a"]}, resamples=RESAMPLES).summary.startswith("a has an mIoU of ")


def test_no_zero_is_negative():
    assert Interval(-0.0001, -0.0).points() == "[0.0, 0.0]"
    runs = recipes(1)
    (difference,) = compare({"a": runs["a"], "b": runs["a"]}, resamples=RESAMPLES).to_best.values()
    assert "-0.0" not in difference.verdict
    cells = [points(-0.0001), interval([-0.0002, -0.0001])]
    assert [cell.text for cell in cells] == ["0.0", "0.0 to 0.0"]
