import csv
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segmentation.data.targets.columns import column_names
from segmentation.data.targets.files import read_target_file
from segmentation.metrics.targets import TargetPredictions
from segmentation.runs.target_predictions import write_predictions
from segmentation.targets import NO_CATEGORY, TargetColumns

COLUMNS = TargetColumns("scene", ("day", "a, b"), ("x", "y"), (0.0, 0.0), (1.0, 1.0))


def predictions(count=3, columns=COLUMNS):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([1, 1], count).astype(np.float32)
    values = rng.normal(size=(2, count, len(columns.values))).astype(np.float32)
    category = rng.integers(-1, 2, count)
    values[1, 0] = np.nan
    if not columns.categories:
        probabilities = probabilities[:, :0]
    return TargetPredictions(columns, probabilities, values[0], category, values[1])


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_truth_and_prediction_stand_beside_each_other(tmp_path):
    table = predictions()
    write_predictions(tmp_path / "t.csv", ["ä 1", "b", "c"], table)
    rows = read(tmp_path / "t.csv")
    assert list(rows[0]) == [
        "image", "scene", "scene_predicted", "scene_probability", "x", "x_predicted", "y",
        "y_predicted",
    ]  # fmt: skip
    assert [row["image"] for row in rows] == ["ä 1", "b", "c"]
    assert rows[0]["x"] == rows[0]["y"] == ""
    for row, category, said in zip(
        rows, table.category, table.probabilities.argmax(axis=1), strict=True
    ):
        assert row["scene"] == ("" if category == NO_CATEGORY else COLUMNS.categories[category])
        assert row["scene_predicted"] == COLUMNS.categories[said]


def test_without_the_truth_it_reads_as_targets(tmp_path):
    write_predictions(tmp_path / "t.csv", ["a", "b", "c"], predictions(), truth=False)
    assert list(read(tmp_path / "t.csv")[0]) == ["image", "scene", "scene_probability", "x", "y"]


def test_one_kind_alone(tmp_path):
    columns = TargetColumns(values=("x",), mean=(0.0,), std=(1.0,))
    write_predictions(tmp_path / "t.csv", ["a", "b", "c"], predictions(columns=columns))
    assert list(read(tmp_path / "t.csv")[0]) == ["image", "x", "x_predicted"]


@given(
    numbers=hnp.arrays(
        np.float32, (4, 2), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
    )
)
@settings(deadline=None)
def test_every_digit_comes_back(numbers, tmp_path_factory):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    table = predictions(4)
    table = TargetPredictions(
        COLUMNS, table.probabilities, numbers, table.category, numbers[::-1].copy()
    )
    write_predictions(path, list("abcd"), table)
    rows = read(path)
    for k, column in enumerate(COLUMNS.values):
        said = np.array([row[f"{column}_predicted"] for row in rows], dtype=np.float32)
        np.testing.assert_array_equal(said, numbers[:, k])
        truth = np.array([row[column] for row in rows], dtype=np.float32)
        np.testing.assert_array_equal(truth, numbers[::-1, k])


NAMES = st.text(
    st.characters(exclude_categories=["Z", "C"]) | st.sampled_from("-=+@'"), min_size=1, max_size=8
)


@given(st.lists(NAMES, min_size=1, max_size=4), NAMES, NAMES)
@settings(deadline=None)
def test_names_come_back_where_the_file_is_read_as_targets(names, column, category):
    assume(len({"image", "split", column, f"{column}_probability"}) == 4)
    columns = TargetColumns(column, (category, f"{category}2"))
    count = len(names)
    table = TargetPredictions(
        columns,
        np.tile(np.float32([0.9, 0.1]), (count, 1)),
        np.zeros((count, 0), np.float32),
        np.full(count, NO_CATEGORY),
        np.zeros((count, 0), np.float32),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        write_predictions(path, names, table, truth=False)
        assert column_names(path) == [column, f"{column}_probability"]
        rows = read_target_file(path, [column])
    assert [row.image for row in rows] == names
    assert {row.cells[column] for row in rows} == {category}


@pytest.mark.parametrize("kept", [np.array([True, False, True]), np.array([0, 2])])
def test_some_of_the_images(kept):
    table, some = predictions(), predictions().select(kept)
    assert some.columns == COLUMNS
    for name in ("probabilities", "predicted", "category", "values"):
        np.testing.assert_array_equal(getattr(some, name), getattr(table, name)[[0, 2]])
