"""How a split is divided."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from populations import scored

from segmentation.evaluation.slices.attributes import image_attributes
from segmentation.evaluation.slices.slices import (
    MAX_VALUES,
    MIN_IMAGES,
    QUARTILES,
    find_slices,
    parts,
    ranges,
)


def run_of(images, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return scored(rng.integers(0, 50, (images, classes, classes)))


def attributes(run, **columns):
    return pd.DataFrame(columns, index=list(run.names))


def chosen(slices):
    return {one.value: np.flatnonzero(one.inside).tolist() for one in slices}


def test_text_divides_by_what_it_says_and_unknown_images_are_on_neither_side():
    run = run_of(16)
    cells = ["sun"] * 6 + ["rain"] * 7 + [""] * 3
    table = image_attributes(run.names, targets={"weather": cells})
    slices, notes = find_slices(run, table)
    assert chosen(slices) == {"rain": [*range(6, 13)], "sun": [*range(6)]}
    for one in slices:
        assert one.attribute == "targets.weather"
        assert not one.inside[13:].any()
        assert not one.outside[13:].any()
    assert notes == []


def test_numbers_divide_into_quartiles_with_their_ranges():
    run = run_of(20)
    slices, _ = find_slices(run, image_attributes(run.names, np.arange(80, 120, 2.0)))
    assert chosen(slices) == {
        "80-88": [0, 1, 2, 3, 4], "90-98": [5, 6, 7, 8, 9],
        "100-108": [10, 11, 12, 13, 14], "110-118": [15, 16, 17, 18, 19],
    }  # fmt: skip


def test_few_different_numbers_stand_for_themselves():
    run = run_of(15)
    cells = ["1", "2", "2.5"] * 5
    slices, _ = find_slices(run, image_attributes(run.names, targets={"lanes": cells}))
    assert sorted(chosen(slices)) == ["1", "2", "2.5"]


def test_numbers_that_differ_in_their_last_digit_are_two():
    numbers = [1234567.0] * 6 + [1234568.0] * 6 + [0.1] * 6
    run = scored(np.ones((18, 2, 2), int))
    slices, _ = find_slices(run, pd.DataFrame({"a": numbers}, index=list(run.names)))
    assert {one.value for one in slices} == {"1234567", "1234568", "0.1"}


def test_small_slices_and_too_many_are_left_out_and_named():
    run = run_of(6 * 14 + 2)
    cells = [f"town {i // 6:02d}" for i in range(6 * 14)] + ["farm", "farm"]
    slices, notes = find_slices(run, image_attributes(run.names, targets={"place": cells}))
    assert len(slices) == MAX_VALUES
    assert any("farm" in note and f"fewer than {MIN_IMAGES}" in note for note in notes)
    assert any(f"the {MAX_VALUES} values with the most images, of 14" in note for note in notes)


def test_an_attribute_that_divides_nothing_is_named():
    run = run_of(9)
    slices, notes = find_slices(run, attributes(run, sequence=["a to b"] * 9), presence=True)
    assert slices == []
    assert notes == [
        "sequence: the same for all images.",
        "presence: no class divides the images into large enough parts.",
    ]


def test_sequences_are_slices_where_there_are_several():
    names = [f"a_{i:03d}" for i in range(8)] + [f"b_{i:03d}" for i in range(6)] + ["still"]
    run = scored(np.ones((15, 2, 2), dtype=np.int64), names)
    slices, notes = find_slices(run, image_attributes(names, sequences=True))
    assert chosen(slices) == {"a_000 to a_007": [*range(8)], "b_000 to b_005": [*range(8, 14)]}
    (note,) = notes
    assert "still" in note


def test_presence_is_of_the_truth():
    run = run_of(12)
    confusion = run.confusion.copy()
    confusion[:5, 1] = 0  # not in the truth of five images, predicted all the same
    slices, _ = find_slices(scored(confusion), attributes(run), presence=True)
    assert chosen(slices) == {"with class 1": [*range(5, 12)], "without class 1": [*range(5)]}


def test_size_divides_the_images_that_hold_the_class():
    run = run_of(20)
    sizes = np.array([np.nan] * 2 + [0.1] * 6 + [0.5] * 6 + [3.0] * 6)
    slices, notes = find_slices(run, image_attributes(run.names, sizes={"class 2": sizes}))
    assert {one.value: (one.inside.sum(), one.outside.sum(), one.only) for one in slices} == {
        "class 2: small, 0.1%": (6, 12, 2),
        "class 2: medium, 0.5%": (6, 12, 2),
        "class 2: large, 3.0%": (6, 12, 2),
    }
    assert notes == []


@given(st.lists(st.integers(-50, 50), min_size=8, max_size=60))
def test_parts_are_in_order_and_equal_values_share_one(numbers):
    values = np.array(numbers, dtype=np.float64)
    part = parts(values, QUARTILES)
    order = np.argsort(values)
    assert (np.diff(part[order]) >= 0).all()
    for value in np.unique(values):
        assert len(np.unique(part[values == value])) == 1
    texts = ranges(values, QUARTILES)
    assert len(np.unique(texts.astype(str))) == len(np.unique(part))


@given(st.integers(0, 1000), st.integers(20, 40))
def test_the_matrices_of_a_partition_add_up(seed, images):
    run = run_of(images, seed=seed)
    brightness = np.random.default_rng(seed).permutation(images).astype(float)
    slices, _ = find_slices(run, image_attributes(run.names, brightness))
    assert len(slices) == 4
    total = sum(run.confusion[one.inside].sum(axis=0) for one in slices)
    np.testing.assert_array_equal(total, run.confusion.sum(axis=0))
    for one in slices:
        both = run.confusion[one.inside].sum(axis=0) + run.confusion[one.outside].sum(axis=0)
        np.testing.assert_array_equal(both, total)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.031, 0.17, 0.2, 0.51], ["0.03-0.17", "0.20-0.51"]),
        ([-3.0, -1.0, 2.0, 9.0], ["-3 to -1", "2-9"]),
        ([5.0, 5.0, 7.0, 7.0], ["5", "7"]),
        ([0.1, 0.1, 0.3, 0.3], ["0.1", "0.3"]),
    ],
)
def test_ranges_have_the_decimals_that_they_need(values, texts):
    assert list(dict.fromkeys(ranges(np.array(values), [0.5]))) == texts
