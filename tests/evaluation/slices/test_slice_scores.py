"""Scores of slices against what can be worked out by hand, and against an independent bootstrap."""

import tracemalloc

import numpy as np
import pytest
from populations import Scenes, scored

from segmentation.evaluation.slices.attributes import image_attributes
from segmentation.evaluation.slices.scores import COLUMNS, distinguishable, score_slices, worth
from segmentation.evaluation.slices.slices import Slice, find_slices
from segmentation.evaluation.statistics.resampling import by_block, by_image
from segmentation.metrics.scores import scores

pytestmark = pytest.mark.usefixtures("quick_collections")


def halves(run, inside, **values):
    inside = np.asarray(inside)
    return [
        Slice("a", "in", inside, ~inside, **values),
        Slice("a", "out", ~inside, inside, **values),
    ]


def matrix(*rows):
    return np.array(rows, dtype=np.int64)


def test_scores_and_differences_by_hand():
    # Class 2 is in the truth of the second half alone, and predicted in the first.
    first = matrix([6, 2, 0], [0, 7, 1], [0, 0, 0])  # IoU 6/8, 7/10, not held
    second = matrix([4, 4, 0], [0, 8, 0], [0, 0, 5])  # IoU 4/8, 8/12, 1
    run = scored([first] * 6 + [second] * 6)
    table, _ = score_slices(run, halves(run, np.arange(12) < 6), resamples=100)
    one, two = table.to_dict("records")
    assert list(table.columns) == list(COLUMNS)
    assert one["miou"] == pytest.approx((6 / 8 + 7 / 10) / 2)
    assert two["miou"] == pytest.approx((4 / 8 + 8 / 12 + 1) / 3)
    # Over classes 0 and 1, which both hold; not the difference of the two mIoU.
    assert one["difference"] == pytest.approx((6 / 8 - 4 / 8 + 7 / 10 - 8 / 12) / 2)
    assert two["difference"] == pytest.approx(-one["difference"])
    assert (one["images"], two["images"]) == (6, 6)
    assert one["low"] == pytest.approx(one["miou"])  # all images are alike
    assert one["p_holm"] == two["p_holm"] < 0.05


def test_a_class_alone_and_sides_that_share_none():
    first, second = matrix([6, 2], [0, 0]), matrix([0, 0], [1, 3])
    run = scored([first] * 6 + [second] * 6)
    table, _ = score_slices(run, halves(run, np.arange(12) < 6), resamples=100)
    assert table["difference"].isna().all()
    assert table["p_holm"].isna().all()
    assert not distinguishable(table).any()
    both = scored([first + second] * 6 + [second + matrix([4, 4], [0, 0])] * 6)
    table, _ = score_slices(both, halves(both, np.arange(12) < 6, only=0), resamples=100)
    assert table["miou"][0] == pytest.approx(6 / 9)
    assert table["difference"][0] == pytest.approx(6 / 9 - 4 / 9)


def test_miou_is_that_of_the_images_alone():
    random = np.random.default_rng(0)
    run = scored(Scenes(random, 40, common=True).predict())
    inside = random.random(40) < 0.4
    table, _ = score_slices(run, halves(run, inside), resamples=100)
    for row, chosen in zip(table.itertuples(), (inside, ~inside), strict=True):
        assert row.miou == pytest.approx(scores(run.confusion[chosen].sum(axis=0)).miou)


def test_intervals_are_those_of_two_independent_bootstraps():
    random = np.random.default_rng(1)
    run = scored(Scenes(random, 120, common=True).predict())
    inside = np.arange(120) % 3 == 0
    table, resampling = score_slices(run, halves(run, inside), resamples=4000)
    assert resampling.by == "image"

    def resampled(confusion):
        drawn = confusion[random.integers(len(confusion), size=(4000, len(confusion)))].sum(axis=1)
        right = np.diagonal(drawn, axis1=1, axis2=2)
        return (right / (drawn.sum(axis=1) + drawn.sum(axis=2) - right)).mean(axis=1)

    one, two = resampled(run.confusion[inside]), resampled(run.confusion[~inside])
    row = table.iloc[0]
    for low, high, expected in (
        (row.low, row.high, one), (row.difference_low, row.difference_high, one - two),
    ):  # fmt: skip
        width = np.subtract(*np.quantile(expected, [0.975, 0.025]))
        assert low == pytest.approx(np.quantile(expected, 0.025), abs=0.12 * width)
        assert high == pytest.approx(np.quantile(expected, 0.975), abs=0.12 * width)


def test_slices_at_random_are_not_told_apart_and_a_bad_one_is():
    random = np.random.default_rng(2)
    found, sets = 0, 60
    for _ in range(sets):
        run = scored(Scenes(random, 60).predict())
        slices, _ = find_slices(run, image_attributes(run.names, random.random(60)))
        found += distinguishable(score_slices(run, slices, resamples=400)[0]).any()
    assert found / sets < 0.12  # 0.05, and three standard errors
    good, bad = Scenes(random, 45).predict(), Scenes(random, 15).predict(better=-2)
    run = scored(np.concatenate([good, bad]))
    brightness = np.concatenate([random.uniform(90, 160, 45), random.uniform(20, 50, 15)])
    slices, _ = find_slices(run, image_attributes(run.names, brightness))
    table, _ = score_slices(run, slices, resamples=2000)
    worst = table.loc[table["difference"].idxmin()]
    assert worst["p_holm"] < 0.05
    assert worst["difference_high"] < -0.1
    assert float(worst["value"].split("-")[1]) <= 50


def test_order_of_images_and_of_slices_changes_nothing():
    random = np.random.default_rng(3)
    run = scored(Scenes(random, 30).predict())
    inside, order = random.random(30) < 0.5, random.permutation(30)
    table, _ = score_slices(run, halves(run, inside), resamples=200)
    again, _ = score_slices(
        run.ordered_like([run.names[i] for i in order]), halves(run, inside[order])[::-1],
        resamples=200,
    )  # fmt: skip
    again = again[::-1].reset_index(drop=True)
    for column in COLUMNS[2:]:
        np.testing.assert_allclose(table[column], again[column], rtol=1e-9)


def test_two_slices_that_are_each_others_rest_are_one_comparison():
    random = np.random.default_rng(4)
    run = scored(Scenes(random, 40).predict())
    first, second = (halves(run, random.random(40) < 0.5) for _ in range(2))
    alone, _ = score_slices(run, first, resamples=300)
    both, _ = score_slices(run, [*first, *second], resamples=300)
    assert alone["p_holm"].nunique() == 1
    p = {*both["p_holm"].round(12)}
    assert len(p) <= 2
    assert both["p_holm"].max() <= 2 * max(alone["p_holm"].max(), 1)


def test_frames_of_a_video_are_drawn_in_blocks_and_a_run_of_frames_is_worth_less():
    random = np.random.default_rng(5)
    names = [f"clip_{i:04d}" for i in range(100)]
    run = scored(Scenes(random, 100, likeness=0.95, common=True).predict(), names)
    together, apart = np.arange(100) < 25, np.arange(100) % 4 == 0
    slices = [Slice("a", "together", together, ~together), Slice("a", "apart", apart, ~apart)]
    table, resampling = score_slices(run, slices, resamples=1000)
    assert resampling.by == "block"
    width = table["difference_high"] - table["difference_low"]
    assert width[0] > 2 * width[1]


def test_slices_take_no_copies_of_the_matrices():
    random = np.random.default_rng(6)
    run = scored(random.integers(0, 100, (100, 150, 150)))
    slices = [one for _ in range(8) for one in halves(run, random.random(100) < 0.5)]
    tracemalloc.start()
    score_slices(run, slices, resamples=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * run.confusion.nbytes  # 38 times with a copy for both sides of each slice


def test_what_images_are_worth_by_hand():
    chosen = np.arange(20) < 5
    assert worth(chosen, by_image(20)) == pytest.approx(5)
    # Blocks of one frame are images.
    assert worth(chosen, by_block([np.arange(20)], 1)) == pytest.approx(5)
    # 17 blocks of 4 in 20 frames, each as likely; they hold 4, 4, 3, 2, 1 and then none of the
    # chosen: E(w) = 14/17, E(w^2) = 46/17; 5 blocks fit.
    assert worth(chosen, by_block([np.arange(20)], 4)) == pytest.approx(4 * 5 * 14**2 / 17 / 46)
    assert worth(np.zeros(20, bool), by_image(20)) == 0
