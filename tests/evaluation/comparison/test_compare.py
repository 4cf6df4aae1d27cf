import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from populations import Scenes, scored

from segmentation.errors import ConfigError, DataError
from segmentation.evaluation.comparison.compare import compare
from segmentation.evaluation.comparison.result import NOT_DISTINGUISHABLE

pytestmark = pytest.mark.usefixtures("quick_collections")

RESAMPLES = 1000


def models(images=60, seed=0, **better):
    """Return one run for each name, which is this much better (log-odds) than usual."""
    scenes = Scenes(np.random.default_rng(seed), images)
    return {name: [scored(scenes.predict(by))] for name, by in better.items()}


def test_a_clear_difference_is_said_in_words():
    found = compare(models(bad=-0.6, good=0.0, best=0.6))
    assert [entry.name for entry in found.entries] == ["best", "good", "bad"]
    difference = found.to_best["bad"]
    assert set(found.to_best) == {"good", "bad"}
    assert difference.miou.value == pytest.approx(
        found.entries[2].miou.value - found.entries[0].miou.value
    )
    interval = difference.miou.interval
    assert interval.high < 0
    points, low, high = (-100 * v for v in (difference.miou.value, interval.high, interval.low))
    assert difference.verdict == (
        f"this model scores {points:.1f} points below that of best [{low:.1f}, {high:.1f}], "
        f"p = {difference.p_corrected:.2g}"
    )
    assert difference.compares == "models"
    assert difference.p_corrected == pytest.approx(3 * difference.p)  # three pairs, equally clear
    assert found.correction.startswith("p is corrected by Holm's method for all 3 pairs: ")
    assert found.resampling.startswith("10,000 bootstrap resamples of 60 images, drawn one by one")


def test_no_difference_is_said_in_words():
    found = compare(models(one=0.0, two=0.01), resamples=RESAMPLES)
    (difference,) = found.to_best.values()
    assert not difference.distinguishable
    assert difference.verdict.startswith(NOT_DISTINGUISHABLE)
    assert difference.miou.interval.low < 0 < difference.miou.interval.high


def test_runs_that_predict_the_same_do_not_differ():
    (run,) = models(a=0.0)["a"]
    (difference,) = compare({"a": [run], "b": [run]}, resamples=RESAMPLES).to_best.values()
    assert (difference.miou.value, difference.p) == (0, 1)
    assert (difference.miou.interval.low, difference.miou.interval.high) == (0, 0)
    assert all(one.value == 0 for one in difference.classes.values())
    assert set(difference.classes_p_corrected.values()) == {1.0}
    assert difference.verdict == (
        f"{NOT_DISTINGUISHABLE} from {difference.second} (p = 1): 0.0 points, 95% CI [0.0, 0.0]"
    )


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(30)))
def test_the_order_of_images_and_entries_is_no_matter(order):
    named = models(30, a=0.0, b=0.2, c=0.3)
    turned = {
        name: [run.ordered_like([run.names[i] for i in order])]
        for name, (run,) in reversed(named.items())
    }
    one, two = (compare(runs, resamples=200) for runs in (named, turned))
    assert [entry.name for entry in one.entries] == [entry.name for entry in two.entries]
    for pair, difference in one.pairs.items():
        assert difference.p == two.pairs[pair].p
        ends = [(d.miou.interval.low, d.miou.interval.high) for d in (difference, two.pairs[pair])]
        assert ends[0] == pytest.approx(ends[1], abs=1e-12)


def test_equal_seeds_give_equal_results_and_others_do_not():
    runs = models(a=0.0, b=0.2)
    one, same, other = (compare(runs, resamples=RESAMPLES, seed=seed) for seed in (1, 1, 2))
    assert repr(one) == repr(same)  # equal digits; NaN equals NaN
    assert one.pairs == same.pairs
    ends = [found.pairs["a", "b"].miou.interval for found in (one, other)]
    assert ends[0].low != ends[1].low


def test_winners_and_their_rivals():
    scenes = Scenes(np.random.default_rng(0), 60)
    usual, twin = scenes.predict(own=0.1), scenes.predict(own=0.1)
    worse = usual.copy()
    lost = usual[:, 1, 1] // 3
    worse[:, 1, 1] -= lost
    worse[:, 1, 2] += lost
    wider = {
        name: [scored(np.pad(matrix, ((0, 0), (0, 1), (0, 1))))]
        for name, matrix in {"usual": usual, "twin": twin, "worse": worse}.items()
    }
    found = compare(wider)
    assert "worse" not in (found.winners["class 1"].best, *found.winners["class 1"].rivals)
    assert found.winners["class 0"].rivals
    assert found.winners["class 5"].best is None


def test_seeds_are_one_entry():
    random = np.random.default_rng(0)
    scenes = Scenes(random, 60)
    several = [scored(scenes.predict(0.2 * random.normal())) for _ in range(3)]
    found = compare({"several": several, "one": several[:1]}, resamples=RESAMPLES)
    entries = {entry.name: entry for entry in found.entries}
    alone = [compare({"x": [run]}, resamples=RESAMPLES).entries[0] for run in several]
    scores = [entry.miou.value for entry in alone]
    assert entries["several"].miou.value == pytest.approx(np.mean(scores))
    assert entries["several"].deviation == pytest.approx(np.std(scores, ddof=1))
    assert np.isnan(entries["one"].deviation)
    assert (entries["several"].seeds, entries["one"].seeds) == (3, 1)
    width = {
        name: entry.miou.interval.high - entry.miou.interval.low for name, entry in entries.items()
    }
    assert width["several"] > width["one"]
    assert any(note.startswith("One run only of one:") for note in found.notes)


def test_frames_of_given_sequences_are_drawn_in_blocks():
    scenes = Scenes(np.random.default_rng(0), 60, likeness=0.9)
    runs = {name: [scored(scenes.predict(by))] for name, by in {"a": 0.0, "b": 0.2}.items()}
    names = runs["a"][0].names
    groups = {name: "early" if index < 30 else "late" for index, name in enumerate(names)}
    found = compare(runs, by="block", groups=groups, resamples=RESAMPLES)
    assert "moving blocks" in found.resampling
    assert found.resampling.endswith("from 2 sequences")
    with pytest.raises(DataError, match=r"1 of 60 images have no sequence, such as"):
        compare(runs, groups=dict.fromkeys(names[1:], "x"))


def test_the_seed_reaches_the_draw_of_blocks():
    scenes = Scenes(np.random.default_rng(0), 60, likeness=0.9)
    runs = {name: [scored(scenes.predict(by))] for name, by in {"a": 0.0, "b": 0.2}.items()}
    groups = dict.fromkeys(runs["a"][0].names, "video")
    one, other = (
        compare(runs, by="block", groups=groups, resamples=RESAMPLES, seed=seed) for seed in (1, 2)
    )
    assert "moving blocks" in one.resampling
    ends = [found.pairs["a", "b"].miou.interval for found in (one, other)]
    assert ends[0].low != ends[1].low


def test_classes_are_corrected_for_all_pairs_and_classes():
    found = compare(models(bad=-4.0, best=4.0), resamples=RESAMPLES)
    (difference,) = found.to_best.values()
    # All five differences exclude zero with the smallest p there is, 2 / (B + 1); one pair.
    smallest = 2 / (10_000 + 1) if "10,000" in found.resampling else 2 / (RESAMPLES + 1)
    assert difference.classes_p_corrected == pytest.approx(
        dict.fromkeys(difference.classes, 5 * smallest)
    )


def test_each_class_has_its_own_winner():
    scenes = Scenes(np.random.default_rng(0), 60)
    one, other = scenes.predict(own=0.1), scenes.predict(own=0.1)
    worse = other[:, 1:, 1:].diagonal(axis1=1, axis2=2) // 2
    for index in range(1, 5):  # the other is worse in every class but the first
        other[:, index, index] -= worse[:, index - 1]
        other[:, index, (index + 1) % 5] += worse[:, index - 1]
    lost = one[:, 0, 0] // 2
    one[:, 0, 0] -= lost
    one[:, 0, 1] += lost
    found = compare({"one": [scored(one)], "other": [scored(other)]}, resamples=RESAMPLES)
    assert found.entries[0].name == "one"
    assert (found.winners["class 0"].best, found.winners["class 3"].best) == ("other", "one")


def test_few_seeds_are_noted():
    scenes = Scenes(np.random.default_rng(0), 40)
    seeds = [scored(scenes.predict()) for _ in range(5)]
    found = compare({"two": seeds[:2], "three": seeds[2:]}, resamples=RESAMPLES)
    assert any(note.startswith("Few seeds of two:") for note in found.notes)


def test_many_pairs_and_classes_get_the_resamples_that_they_need():
    found = compare(models(40, **{f"m{n}": 0.8 * n for n in range(8)}), resamples=1000)
    pairs, classes = 28, 5
    assert found.resampling.startswith(f"{80 * pairs * classes:,} bootstrap resamples")
    assert not any("too few" in note for note in found.notes)
    clear = found.pairs["m0", "m7"].classes_p_corrected
    assert min(clear.values()) <= 0.05
    assert not any("m0" in winner.rivals for winner in found.winners.values())


def test_too_few_resamples_for_many_comparisons_are_said(monkeypatch):
    monkeypatch.setattr("segmentation.evaluation.comparison.compare.MOST_VALUES", 200 * 10 * 6)
    found = compare(models(20, **{f"m{n}": 0.0 for n in range(5)}), resamples=200)
    said = [note for note in found.notes if "200 resamples are too few" in note]
    assert ["10 comparisons:" in said[0], "50 comparisons by class:" in said[1]] == [True, True]
    assert "Take resamples=10000, or compare fewer" in said[1]


def test_the_order_of_seeds_changes_no_digit():
    random = np.random.default_rng(0)
    scenes = Scenes(random, 40)
    several = [scored(scenes.predict(0.2 * random.normal())) for _ in range(3)]
    other = [scored(scenes.predict())]
    one, two = (
        compare({"several": runs, "other": other}, resamples=RESAMPLES)
        for runs in (several, [several[i] for i in (2, 0, 1)])
    )
    assert repr(one) == repr(two)
    assert one.pairs == two.pairs


def test_nothing_to_compare_is_refused():
    for entries in ({}, {"a": []}):
        with pytest.raises(ConfigError, match="nothing to compare"):
            compare(entries)


def test_runs_that_cannot_be_compared_are_refused():
    runs = models(a=0.0) | {"b": models(seed=1, a=0.0)["a"] * 2}
    with pytest.raises(DataError, match=r"a and b \(run 1\) cannot be compared"):
        compare(runs)
