"""Where a difference comes from, on counts that are checked by hand."""

from pathlib import Path

import numpy as np
import pytest

from segmentation.evaluation.comparison.effect import effect
from segmentation.runs.scored_images import ScoredImages


def run(*right, truth=((10, 10),) * 3):
    """Return a run on three images of two classes: the right pixels of each class in each image."""
    confusion = np.zeros((3, 2, 2), np.int64)
    for image, (counts, labelled) in enumerate(zip(right, truth, strict=True)):
        for c in range(2):
            confusion[image, c, c] = counts[c]
            confusion[image, c, 1 - c] = labelled[c] - counts[c]
    return ScoredImages(("a", "b", "c"), confusion, ("Road", "Sky"), Path("run"), {})


def test_images_are_won_lost_and_tied():
    found = effect([run((10, 10), (5, 10), (7, 7))], [run((9, 10), (10, 10), (7, 7))])
    assert (found.won, found.lost, found.tied) == (1, 1, 1)
    assert found.words == "of 3 images 1 won, 1 lost, 1 tied"


def test_classes_and_images_make_the_difference():
    first, second = run((10, 10), (0, 10), (10, 10)), run((10, 10), (10, 10), (10, 10))
    found = effect([first], [second])
    # Road 20 / 30, Sky 30 / 40, both 1 before; without b nothing differs.
    assert found.classes == {"Road": pytest.approx(-1 / 3), "Sky": pytest.approx(-1 / 4)}
    assert list(found.classes) == ["Road", "Sky"]
    assert found.named_classes(1) == "Road -33.3"
    (image,) = found.images
    assert (image.name, image.without) == ("b", 0)
    assert image.difference == pytest.approx((0 + 10 / 20) / 2 - 1)


def test_the_classes_of_the_winner_come_first():
    found = effect([run((10, 8), (10, 8), (10, 8))], [run((9, 9), (8, 9), (9, 9))])
    assert list(found.classes.values()) == sorted(found.classes.values(), reverse=True)


def test_the_mean_over_seeds_decides():
    better, worse, other = (run((right, 10), (5, 5), (5, 5)) for right in (10, 4, 6))
    assert effect([better, worse], [other]).won == 1
    assert effect([worse], [other]).lost == 1
    assert effect([better, worse], [worse, better]).tied == 3


def test_images_without_labels_do_not_count():
    truth = ((10, 10), (0, 0), (10, 10))
    first, second = (run((right, 10), (0, 0), (9, 9), truth=truth) for right in (10, 5))
    found = effect([first], [second])
    assert (found.won, found.lost, found.tied) == (1, 0, 1)
    assert [image.name for image in found.images] == ["a"]


def test_nothing_makes_no_difference():
    alike = run((5, 5), (6, 6), (7, 7))
    assert effect([alike], [alike]).images == ()
