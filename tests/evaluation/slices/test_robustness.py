"""Scores of corrupted images against the clean ones: paired."""

import json

import numpy as np
import pytest
from populations import Scenes, scored

from segmentation.evaluation.slices.robustness import Robustness, score_corruptions
from segmentation.evaluation.slices.scores import COLUMNS, distinguishable
from segmentation.evaluation.statistics.counts import Counts


def test_the_summary_by_hand():
    clean = np.array([[8, 2], [0, 10]])  # IoU 8/10, 10/12
    worse = np.array([[5, 5], [0, 10]])  # IoU 5/10, 10/15
    worst = np.array([[0, 10], [10, 0]])  # 0, 0
    table, summary, _ = score_corruptions(
        scored([clean] * 6),
        {("fog", 1): Counts.of(np.array([worse] * 6)), ("fog", 5): Counts.of(np.array([worst] * 6)),
         ("noise", 1): Counts.of(np.array([clean] * 6))},
        resamples=100,
    )  # fmt: skip
    before, after = (8 / 10 + 10 / 12) / 2, (5 / 10 + 10 / 15) / 2
    assert summary.clean == pytest.approx(before)
    assert summary.corruptions == pytest.approx({"fog": after / 2, "noise": before})
    assert summary.mean == pytest.approx((after + 0 + before) / 3)
    assert summary.relative == pytest.approx((after + before) / 3 / before)
    assert list(table.columns) == list(COLUMNS)
    assert table["value"].tolist() == ["fog 1", "fog 5", "noise 1", "mean of all"]
    assert table["miou"].to_numpy() == pytest.approx([after, 0, before, (after + before) / 3])
    assert table["difference"].to_numpy() == pytest.approx(table["miou"].to_numpy() - before)
    assert distinguishable(table).tolist() == [True, True, False, True]
    json.dumps(summary.to_dict(), allow_nan=False)
    assert f"{summary.relative:.0%} of the clean" in summary.describe()


def test_a_model_that_knows_nothing_has_no_share():
    summary = Robustness(0.0, 0.0, {"fog": 0.0})
    assert np.isnan(summary.relative)
    assert summary.to_dict()["relative"] is None
    assert "nan" not in summary.describe()


def test_a_class_that_only_the_corrupted_images_predict_is_no_class_more():
    clean = np.array([[8, 2, 0], [0, 10, 0], [0, 0, 0]])
    strange = np.array([[8, 2, 0], [0, 9, 1], [0, 0, 0]])
    table, *_ = score_corruptions(
        scored([clean] * 6), {("fog", 1): Counts.of(np.array([strange] * 6))}, resamples=100
    )
    assert table["miou"][0] == pytest.approx((8 / 10 + 9 / 12) / 2)


def test_the_same_images_are_drawn_for_both():
    # The corruption takes the same from every image: paired, that is seen in a few images that
    # differ among themselves by much more.
    scenes = Scenes(np.random.default_rng(0), 30, common=True)
    clean = scenes.predict(own=0)
    corrupted = scenes.predict(better=-0.15, own=0)
    table, *_ = score_corruptions(scored(clean), {("fog", 1): Counts.of(corrupted)})
    row = table.iloc[0]
    assert row.difference_high < 0
    assert row.p_holm < 0.05
    assert row.difference_high - row.difference_low < 0.3 * (row.high - row.low)
