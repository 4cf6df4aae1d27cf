"""What follows from the counts of each image, against torchmetrics, scikit-learn and pandas."""

from pathlib import Path

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
from segmentation.runs.scored_images import ScoredImages
from segmentation.system.files import write_csv

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
    counts = torch.stack(confusion).numpy()
    return ScoredImages.from_counts(Path("run"), ["a", "b", "ü/c", "d"], CLASSES, counts, details)


def test_the_scores_of_a_split(scored, images):
    truth, said = (one.ravel() for one in images)
    found = scored.split_scores()
    iou = jaccard_score(truth, said, average=None, labels=[0, 1, 2])
    assert found["iou"]["sky"] == pytest.approx(iou[0])
    weights = np.bincount(truth, minlength=3) / truth.size
    assert found["frequency_weighted_iou"] == pytest.approx((weights * iou).sum())
    both = boundary_iou(scored.boundary.sum(axis=0))
    assert found["boundary_iou"]["mean"] == both.mean
    assert found["boundary_iou"]["classes"]["sky"] == both.classes[0]
    sure = np.exp(5) / (np.exp(5) + 2)
    right = (truth == said).mean()
    assert found["calibration"]["ece"] == pytest.approx(abs(right - sure), abs=1e-6)


def test_the_confusion_matrix_both_ways(scored, images):
    truth, said = (one.ravel() for one in images)
    table = pd.DataFrame(scored.confusion_table())
    for normalize, column in (("true", "share_of_truth"), ("pred", "share_of_prediction")):
        expected = sklearn_confusion(truth, said, labels=[0, 1, 2], normalize=normalize)
        found = table[column].to_numpy().reshape(3, 3)
        np.testing.assert_allclose(np.nan_to_num(found), expected)
    assert np.isnan(table.set_index(["truth", "predicted"]).share_of_truth['a "car"', "sky"])
    assert table.pixels.sum() == truth.size


def test_the_scores_of_each_image_come_back_from_their_file(scored, tmp_path):
    write_csv(tmp_path / "per_image.csv", scored.image_table())
    table = pd.read_csv(tmp_path / "per_image.csv")
    assert table["image"].tolist() == ["a", "b", "ü/c", "d"]
    one = scored.select(np.array([1])).split_scores()
    assert table.miou[1] == one["miou"]
    assert table["iou/road, wet"][1] == one["iou"]["road, wet"]
    assert np.isnan(table['iou/a "car"'][0])
    assert table.ece.between(0, 1).all()


def test_an_image_that_is_left_out_is_in_nothing(scored):
    fewer = scored.select(np.array([True, False, True, True]))
    assert fewer.names == ("a", "ü/c", "d")
    assert fewer.split_scores()["iou"]['a "car"'] is None
    assert len(fewer.image_table()["image"]) == 3
    assert {len(counts) for counts in (fewer.confusion, *fewer.details.values())} == {3}
    assert set(fewer.details) == {"boundary", "boundary_f", "calibration"}


def test_without_details_there_are_the_scores_of_the_matrices_alone(scored):
    plain = ScoredImages.from_counts(Path("run"), scored.names, CLASSES, scored.confusion)
    assert "calibration" not in plain.split_scores()
    assert plain.split_scores()["miou"] == scored.split_scores()["miou"]
    assert "ece" not in plain.image_table()
