"""The scores of image-level targets, against scikit-learn, NumPy and formulas."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, f1_score, root_mean_squared_error

from segmentation.metrics.targets import TargetPredictions, target_scores
from segmentation.targets import NO_CATEGORY, TargetColumns

SCENES = TargetColumns("scene", ("a", "b", "c", "d"))
VALUES = TargetColumns(values=("x", "y"), mean=(0.0, 0.0), std=(1.0, 1.0))
NAN = float("nan")


def of_categories(truth, said):
    probabilities = np.eye(4, dtype=np.float32)[np.asarray(said)]
    empty = np.zeros((len(truth), 0), np.float32)
    return target_scores(TargetPredictions(SCENES, probabilities, empty, np.array(truth), empty))


def of_values(truth, said):
    truth, said = (np.asarray(one, dtype=np.float32) for one in (truth, said))
    nobody = np.full(len(truth), NO_CATEGORY)
    probabilities = np.zeros((len(truth), 0), np.float32)
    return target_scores(TargetPredictions(VALUES, probabilities, said, nobody, truth))


def concordance(said, truth):
    """Lin (1989): twice the covariance over the variances and the squared shift of the means."""
    covariance = np.cov(said, truth)
    return 2 * covariance[0, 1] / (np.trace(covariance) + (said.mean() - truth.mean()) ** 2)


# ---- categories


def test_categories_by_hand():
    scores = of_categories([0, 0, 1, 1, NO_CATEGORY], [0, 1, 1, 1, 0]).category
    assert scores.images == 4
    assert scores.accuracy == 0.75
    assert scores.f1["a"] == pytest.approx(2 / 3)
    assert scores.f1["b"] == pytest.approx(0.8)
    assert np.isnan(scores.f1["c"])
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0.8) / 2)


@given(
    truth=hnp.arrays(np.int64, 12, elements=st.integers(-1, 3)),
    said=hnp.arrays(np.int64, 12, elements=st.integers(0, 3)),
)
def test_categories_are_scikit_learns(truth, said):
    scores = of_categories(truth, said).category
    there = truth != NO_CATEGORY
    if not there.any():
        assert scores.images == 0
        assert np.isnan([scores.accuracy, scores.macro_f1, *scores.f1.values()]).all()
        return
    assert scores.accuracy == pytest.approx(accuracy_score(truth[there], said[there]))
    expected = f1_score(truth[there], said[there], average="macro", zero_division=0)
    assert scores.macro_f1 == pytest.approx(expected)
    present = [one for one in scores.f1.values() if not np.isnan(one)]
    assert np.mean(present) == pytest.approx(expected)


# ---- values


def test_values_by_numpy_and_lins_formula():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(40, 2)).astype(np.float32)
    said = (0.5 * truth + rng.normal(size=(40, 2)) + 0.3).astype(np.float32)
    truth[::7, 0] = NAN
    scores = of_values(truth, said)
    for k, column in enumerate("xy"):
        there = ~np.isnan(truth[:, k])
        t, s = truth[there, k].astype(float), said[there, k].astype(float)
        found = scores.values[column]
        assert found.images == there.sum()
        assert found.rmse == pytest.approx(root_mean_squared_error(t, s))
        assert found.pearson == pytest.approx(np.corrcoef(t, s)[0, 1])
        assert found.ccc == pytest.approx(concordance(s, t))
    assert scores.ccc == pytest.approx(np.mean([one.ccc for one in scores.values.values()]))


def test_concordance_sees_what_pearson_does_not():
    truth = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    scores = of_values(truth, truth * [1, 3] + [5, 0]).values
    for one in scores.values():
        assert one.pearson == pytest.approx(1)
        assert one.ccc < 0.7
    same = of_values(truth, truth).values["x"]
    assert (same.ccc, same.rmse) == (pytest.approx(1), 0)


def test_what_does_not_exist(recwarn):
    # x: predictions that do not vary; y: a truth that does not
    scores = of_values([[1.0, 2.0], [2.0, 2.0], [3.0, 2.0]], [[2.0, 1.0], [2.0, 2.0], [2.0, 3.0]])
    x, y = scores.values["x"], scores.values["y"]
    assert (x.ccc, scores.ccc) == (0.0, 0.0)
    assert np.isnan([x.pearson, y.pearson, y.ccc]).all()
    assert y.rmse == pytest.approx(np.sqrt(2 / 3))
    one = of_values([[1.0, NAN]], [[2.0, 2.0]]).values
    assert one["x"].rmse == 1
    assert np.isnan([one["x"].ccc, one["y"].rmse]).all()
    assert one["y"].images == 0
    assert np.isnan(of_values([[1.0, NAN]], [[2.0, 2.0]]).ccc)
    assert not recwarn.list


def test_numbers_far_from_zero_keep_their_digits():
    rng = np.random.default_rng(1)
    truth = (20_000 + rng.integers(0, 50, (30, 2))).astype(np.float32)
    said = truth + rng.integers(-5, 6, (30, 2)).astype(np.float32)
    found = of_values(truth, said).values["x"]
    assert found.ccc == pytest.approx(
        concordance(*(one[:, 0].astype(float) for one in (said, truth))), rel=1e-9
    )


# ---- as they are kept


def test_kept_as_plain_json():
    scores = of_values([[1.0, 2.0], [2.0, 2.0], [3.0, 2.0]], [[2.0, 1.0], [2.0, 2.0], [2.0, 3.0]])
    kept = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
    assert kept["values"]["x"] == {"images": 3, "rmse": scores.values["x"].rmse, "pearson": None,
                                   "ccc": 0.0}  # fmt: skip
    assert "category" not in kept
    categories = of_categories([0, 1], [0, 0]).to_dict()
    assert set(categories) == {"category"}
    assert categories["category"]["f1"]["c"] is None


def test_names_for_a_log():
    columns = TargetColumns(values=("Erregung (%)", "y"), mean=(0.0, 0.0), std=(1.0, 1.0))
    two = np.array([[0, 1], [1, 0]], dtype=np.float32)
    table = TargetPredictions(columns, two[:, :0], two, np.full(2, NO_CATEGORY), two)
    assert set(target_scores(table).flat()) == {
        "rmse_Erregung____", "pearson_Erregung____", "ccc_Erregung____", "rmse_y", "pearson_y",
        "ccc_y", "ccc",
    }  # fmt: skip
    assert of_categories([0, 1], [0, 0]).flat().keys() == {"accuracy", "macro_f1"}
