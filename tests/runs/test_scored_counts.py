"""What follows from the counts of each image, against torchmetrics, scikit-learn and pandas."""

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import jaccard_score

from segmentation.classes import ClassTable
from segmentation.metrics.boundary import band_counts, boundary_iou, contour_counts
from segmentation.metrics.counting import confidence_counts, confusion_matrix
from segmentation.runs.scored_images import Scored

CLASSES = ClassTable(("sky", "road, wet", 'a "car"'), ((1, 2, 3), (4, 5, 6), (7, 8, 9)))


@pytest.fixture
def images():
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, (4, 6, 7), dtype=np.uint8)
    said = np.where(random.random(truth.shape) < 0.7, truth, 1 - truth).astype(np.uint8)
    said[1, :2] = 2
    return truth, said


@pytest.fixture
def scored(images):
    pairs = list(zip(*images, strict=True))
    tensors = [(torch.from_numpy(truth), torch.from_numpy(said).long()) for truth, said in pairs]
    sure = [5.0 * F.one_hot(said, 3).movedim(2, 0) for _, said in tensors]
    counts = [confidence_counts(pair[0], one) for pair, one in zip(tensors, sure, strict=True)]
    details = {
        "boundary": np.stack([band_counts(*pair, 3) for pair in pairs]),
        "boundary_f": np.stack([contour_counts(*pair, 3) for pair in pairs]),
        "calibration": torch.stack(counts).numpy(),
        "view": [b"0", b"1", b"2", b"3"],
    }
    confusion = [confusion_matrix(*pair, 3) for pair in tensors]
    return Scored(["a", "b", "ü/c", "d"], CLASSES, torch.stack(confusion).numpy(), details)


def test_the_scores_of_a_split(scored, images):
    truth, said = (one.ravel() for one in images)
    facts = scored.facts()
    iou = jaccard_score(truth, said, average=None, labels=[0, 1, 2])
    assert facts["iou"]["sky"] == pytest.approx(iou[0])
    weights = np.bincount(truth, minlength=3) / truth.size
    assert facts["frequency_weighted_iou"] == pytest.approx((weights * iou).sum())
    both = boundary_iou(scored.details["boundary"].sum(axis=0))
    assert facts["boundary_iou"]["mean"] == both.mean
    assert facts["boundary_iou"]["classes"]["sky"] == both.classes[0]
    sure = np.exp(5) / (np.exp(5) + 2)
    right = (truth == said).mean()
    assert facts["calibration"]["ece"] == pytest.approx(abs(right - sure), abs=1e-6)


def test_the_confusion_matrix_both_ways(scored, images):
    truth, said = (one.ravel() for one in images)
    table = scored.confusions()
    for normalize, column in (("true", "share_of_truth"), ("pred", "share_of_prediction")):
        expected = sklearn_confusion(truth, said, labels=[0, 1, 2], normalize=normalize)
        found = table[column].to_numpy().reshape(3, 3)
        np.testing.assert_allclose(np.nan_to_num(found), expected)
    assert np.isnan(table.set_index(["truth", "predicted"]).share_of_truth['a "car"', "sky"])
    assert table.pixels.sum() == truth.size


def test_the_scores_of_each_image_come_back_from_their_file(scored, tmp_path):
    scored.images().to_csv(tmp_path / "per_image.csv", index=False)
    table = pd.read_csv(tmp_path / "per_image.csv")
    assert table["image"].tolist() == ["a", "b", "ü/c", "d"]
    one = Scored(["b"], CLASSES, scored.confusion[1:2]).facts()
    assert table.miou[1] == one["miou"]
    assert table["iou/road, wet"][1] == one["iou"]["road, wet"]
    assert np.isnan(table['iou/a "car"'][0])
    assert table.ece.between(0, 1).all()


def test_an_image_that_is_left_out_is_in_nothing(scored):
    fewer = scored.without({"b"})
    assert fewer.names == ["a", "ü/c", "d"]
    assert fewer.details["view"] == [b"0", b"2", b"3"]
    assert fewer.facts()["iou"]['a "car"'] is None
    assert len(fewer.images()) == 3
    assert {len(array) for key, array in fewer.arrays().items() if "c" not in key[:2]} == {3}
    assert scored.without(()).facts() == scored.facts()


def test_without_details_there_are_the_scores_of_the_matrices_alone(scored):
    plain = Scored(scored.names, CLASSES, scored.confusion)
    assert "calibration" not in plain.facts()
    assert plain.facts()["miou"] == scored.facts()["miou"]
    assert "ece" not in plain.images()
