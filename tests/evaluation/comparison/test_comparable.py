import numpy as np
import pytest
from populations import Scenes, scored

from segmentation.errors import DataError
from segmentation.evaluation.comparison.comparable import comparable

SCENES = Scenes(np.random.default_rng(0), 5)
ONE, TWO = SCENES.predict(), SCENES.predict()
NAMES = list("vwxyz")


def test_images_take_the_order_of_the_first_run():
    found = comparable({"a": scored(ONE, NAMES), "b": scored(TWO[::-1], NAMES[::-1])})
    assert found["b"].names == tuple(NAMES)
    np.testing.assert_array_equal(found["b"].confusion, TWO)


def refused(other, reason, **first):
    with pytest.raises(DataError, match=rf"(?s)a and b cannot be compared: .*{reason}"):
        comparable({"a": scored(ONE, NAMES, **first), "b": other})


def test_other_images_are_refused():
    refused(scored(TWO[:4], NAMES[:4]), r"different images \(5 and 4; 1 only in the first.* z\)")
    refused(scored(TWO, [*NAMES[:4], "new"]), "1 only in the first, such as z; 1 only in the sec")


def test_other_contents_of_the_same_names_are_refused():
    other = scored(TWO, NAMES, data_fingerprint="jpeg")
    refused(other, "contents differ .*png and jpeg", data_fingerprint="png")
    assert comparable({"a": scored(ONE, NAMES), "b": other})  # not known of both


def test_other_classes_are_refused():
    classes = ("class 0", "class 1", "class 2", "class 3", "bird")
    refused(scored(TWO, NAMES, classes=classes), r"only the first has \['class 4'\].*\['bird'\]")


def test_classes_in_another_order_are_refused():
    classes = ("class 1", "class 0", "class 2", "class 3", "class 4")
    refused(scored(TWO, NAMES, classes=classes), "class tables differ .the same classes in another")


def test_another_void_policy_is_refused():
    fewer = TWO.copy()
    fewer[2, 4] = 0
    fewer[2, 0, 1] -= 7
    refused(scored(fewer, NAMES), r"void policies differ: 1 of 5 images.* x \([0-9,]+ and [0-9,]+")


def test_other_labels_are_refused():
    moved = TWO.copy()
    moved[1, 0, 0] -= 7
    moved[1, 1, 0] += 7
    refused(scored(moved, NAMES), "labels differ in 1 of 5 images, such as w: .* of class 0")
