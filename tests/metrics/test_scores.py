import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassJaccardIndex,
)

from segmentation.classes import VOID
from segmentation.metrics.counting import confusion_matrix, label_map
from segmentation.metrics.scores import scores

CLASSES = 4


@st.composite
def labelled(draw, classes: int = CLASSES):
    shape = draw(array_shapes(min_dims=2, max_dims=2, max_side=12))
    truth = draw(arrays(np.uint8, shape, elements=st.sampled_from([*range(classes), VOID])))
    prediction = draw(arrays(np.int64, shape, elements=st.integers(0, classes - 1)))
    return truth, prediction


def reference(truth: np.ndarray, prediction: np.ndarray, classes: int = CLASSES) -> np.ndarray:
    matrix = np.zeros((classes, classes), dtype=np.int64)
    for t, p in zip(truth.ravel(), prediction.ravel(), strict=True):
        if t != VOID:
            matrix[t, p] += 1
    return matrix


@given(labelled())
def test_confusion_matrix_counts_what_a_loop_counts(pair):
    truth, prediction = pair
    counted = confusion_matrix(torch.from_numpy(truth), torch.from_numpy(prediction), CLASSES)
    np.testing.assert_array_equal(counted.numpy(), reference(truth, prediction))


@given(labelled())
def test_scores_equal_torchmetrics(pair):
    truth, prediction = pair
    labels, predicted = torch.from_numpy(truth).long(), torch.from_numpy(prediction)
    result = scores(reference(truth, prediction))
    if (truth == VOID).all():
        assert all(np.isnan(v) for v in (result.miou, result.pixel_accuracy, result.dice))
        return
    options = {"num_classes": CLASSES, "ignore_index": VOID, "validate_args": False}
    matrix = MulticlassConfusionMatrix(**options)(predicted, labels)
    np.testing.assert_array_equal(matrix.numpy(), reference(truth, prediction))
    expected = {
        "miou": MulticlassJaccardIndex(average="macro", **options),
        "pixel_accuracy": MulticlassAccuracy(average="micro", **options),
        "dice": MulticlassF1Score(average="macro", **options),
    }
    for name, metric in expected.items():
        assert getattr(result, name) == pytest.approx(metric(predicted, labels).item(), abs=1e-6)
    per_class = MulticlassJaccardIndex(average="none", **options)(predicted, labels).numpy()
    np.testing.assert_allclose(np.nan_to_num(result.iou), per_class, atol=1e-6)


def test_scores_by_hand():
    #        predicted 0  1  2
    result = scores([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    np.testing.assert_allclose(result.iou, [3 / 4, 4 / 5, np.nan])
    assert result.miou == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert result.pixel_accuracy == pytest.approx(7 / 8)
    assert result.mean_accuracy == pytest.approx((3 / 4 + 1) / 2)
    assert result.dice == pytest.approx((6 / 7 + 8 / 9) / 2)


def test_a_class_that_is_only_predicted_counts_as_zero():
    result = scores([[3, 0, 1], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(result.iou, [3 / 4, np.nan, 0])
    assert result.miou == pytest.approx(3 / 8)
    assert result.mean_accuracy == pytest.approx(3 / 4)  # recall: only what the truth holds


@given(labelled(), st.permutations(range(CLASSES)))
def test_miou_does_not_depend_on_the_order_of_classes(pair, order):
    matrix = reference(*pair)
    permuted = matrix[np.ix_(order, order)]
    np.testing.assert_allclose(scores(matrix).miou, scores(permuted).miou)


def test_scores_are_valid_json_with_null_for_absent_classes():
    values = scores([[1, 0], [0, 0]]).to_dict(["a", "b"])
    assert json.loads(json.dumps(values, allow_nan=False))["iou"] == {"a": 1.0, "b": None}


def test_label_map_upsamples_logits_and_not_labels():
    logits = torch.tensor([[[[4.0, 0.0]], [[0.0, 1.0]]]])  # (1, 2, 1, 2)
    # Half-way logits are [3, .25], [1, .75], so class 0 wins three of four pixels; upsampled
    # labels would give it two.
    assert label_map(logits, (1, 4)).tolist() == [[[0, 0, 0, 1]]]
    assert label_map(logits, (1, 2)).tolist() == [[[0, 1]]]
