"""targets.csv: which image a row means, what a cell says, and what is refused."""

import csv
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.data.discovery.layouts import Sample
from segmentation.data.targets.table import TargetCells
from segmentation.errors import ConfigError, DataError
from segmentation.targets import NO_CATEGORY, TargetColumns


def samples(root, *paths):
    return [Sample(Path(path).stem, root / path, root / "masks" / path) for path in paths]


def split_samples(root):
    return {
        "train": samples(root, "train/0.png", "train/1.png", "train/2.png"),
        "val": samples(root, "val/0.png", "val/3.png"),
    }


def write(root, *lines, name="targets.csv"):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(root, splits=None, category="scene", values=("x",), **options):
    splits = splits or split_samples(root)
    cells = TargetCells(root, splits, category, values, **options)
    columns = cells.columns(splits["train"])
    return columns, {split: cells.table(rows, columns) for split, rows in splits.items()}


def test_a_table_by_hand(tmp_path):
    write(
        tmp_path,
        "image,scene,other,x",
        "train/0.png,night,?,1",
        "train/1.png,day,?,",
        "train/2.png,,?,4.5",
        "val/0.png,day,?,-2e1",
        ",,,",
    )
    columns, tables = read(tmp_path)
    assert columns == TargetColumns("scene", ("day", "night"), ("x",), (2.75,), (1.75,))
    assert tables["train"].category.dtype == np.int64
    assert tables["train"].values.dtype == np.float32
    assert tables["train"].category.tolist() == [1, 0, NO_CATEGORY]
    np.testing.assert_array_equal(tables["train"].values, [[1], [np.nan], [4.5]])
    assert tables["val"].category.tolist() == [0, NO_CATEGORY]  # val/3.png has no row
    np.testing.assert_array_equal(tables["val"].values, [[-20], [np.nan]])


@pytest.mark.parametrize("category", ["scene", None])
def test_one_kind_of_target_alone(tmp_path, category):
    write(tmp_path, "image,scene,x", "train/0,a,1", "train/1,b,2")
    values = () if category else ("x",)
    columns, tables = read(tmp_path, category=category, values=values)
    assert columns.categories == (("a", "b") if category else ())
    assert tables["train"].values.shape == (3, len(values))
    assert tables["val"].category.tolist() == [NO_CATEGORY] * 2


# ---- which image a row means


@pytest.mark.parametrize(
    "name", ["train/1.png", "1.png", "1", "train/1", "./train/1.png", "train\\1.png", " 1 "]
)
def test_what_names_an_image(tmp_path, name):
    write(tmp_path, "image,x", "train/0.png,1", f"{name},7")
    _, tables = read(tmp_path, category=None)
    np.testing.assert_array_equal(tables["train"].values[:, 0], [1, 7, np.nan])


def test_the_same_name_in_two_splits_needs_a_path_or_the_split(tmp_path):
    write(tmp_path, "image,x", "0.png,1", "1,2")
    with pytest.raises(DataError, match=r"line 2: '0.png' may be any of train/0.png, val/0.png"):
        read(tmp_path, category=None)
    write(tmp_path, "image,split,x", "0.png,train,1", "1,train,2", "0,VAL,3", "2,,4")
    _, tables = read(tmp_path, category=None)
    np.testing.assert_array_equal(tables["train"].values[:, 0], [1, 2, 4])
    np.testing.assert_array_equal(tables["val"].values[:, 0], [3, np.nan])


def test_a_whole_path_goes_before_the_end_of_another(tmp_path):
    splits = {"train": samples(tmp_path, "a.png", "sub/a.png", "b.png")}
    write(tmp_path, "image,x", "a.png,1", "sub/a.png,2")
    _, tables = read(tmp_path, splits, category=None)
    np.testing.assert_array_equal(tables["train"].values[:, 0], [1, 2, np.nan])


def test_letters_that_macos_takes_apart(tmp_path):
    name = "Straße é.png"
    splits = {"train": samples(tmp_path, unicodedata.normalize("NFD", name), "b.png")}
    write(tmp_path, "image,x", f"{unicodedata.normalize('NFC', name)},1", "b,2")
    _, tables = read(tmp_path, splits, category=None)
    np.testing.assert_array_equal(tables["train"].values[:, 0], [1, 2])


def test_files_beside_the_images(tmp_path):
    write(tmp_path / "train", "image,x", "0,1", "1,2")
    write(tmp_path / "val", "image,x", "0,3")
    _, tables = read(tmp_path, category=None)
    np.testing.assert_array_equal(tables["train"].values[:, 0], [1, 2, np.nan])
    np.testing.assert_array_equal(tables["val"].values[:, 0], [3, np.nan])


def test_a_file_of_ones_own_and_images_from_elsewhere(tmp_path):
    root = tmp_path / "data"
    elsewhere = samples(tmp_path / "elsewhere", "a.png", "b.png")
    mine = write(tmp_path, "image,x", "a,1", "b,2", name="mine.csv")
    _, tables = read(root, {"train": elsewhere}, category=None, file=mine)
    np.testing.assert_array_equal(tables["train"].values[:, 0], [1, 2])


def test_rows_of_images_that_are_not_there_are_counted(tmp_path, caplog):
    write(tmp_path, "image,x", "train/0,1", "train/1,2", "gone,3", "lost.png,4")
    _, tables = read(tmp_path, category=None)
    assert "2 rows of targets name images that are in no split (gone, lost.png)" in caplog.text
    assert np.isfinite(tables["train"].values).sum() == 2


def test_a_part_of_the_samples_has_the_targets_that_it_has_among_all(tmp_path):
    """A bad file that is left out, or a split that is scored alone, moves no row."""
    write(tmp_path, "image,x", "train/0,1", "train/1,2", "val/3,3")
    splits = split_samples(tmp_path)
    cells = TargetCells(tmp_path, splits, None, ["x"])
    columns = cells.columns(splits["train"])
    part = [splits["val"][1], splits["train"][1]]
    np.testing.assert_array_equal(cells.table(part, columns).values[:, 0], [3, 2])


# ---- properties


CELLS = st.none() | st.floats(-1e6, 1e6, width=32)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]),
                min_size=1, max_size=6)  # fmt: skip


@given(
    rows=st.lists(st.tuples(st.none() | NAMES, CELLS), min_size=4, max_size=9).filter(
        lambda rows: (
            len({name for name, _ in rows if name}) > 1
            and np.std([value for _, value in rows if value is not None] or [0]) > 1e-3
        )
    )
)
def test_what_is_written_is_what_is_read(rows, tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    splits = {"train": samples(root, *(f"{index}.png" for index in range(len(rows))))}
    with (root / "targets.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "scene", "x"])
        for index, (name, value) in reversed(list(enumerate(rows))):
            writer.writerow([index, name or "", "" if value is None else repr(value)])
    columns, tables = read(root, splits)
    assert list(columns.categories) == sorted({name for name, _ in rows if name})
    for (name, value), category, number in zip(
        rows, tables["train"].category, tables["train"].values[:, 0], strict=True
    ):
        assert (columns.categories[category] if category >= 0 else None) == name
        assert np.isnan(number) if value is None else number == np.float32(value)
    numbers = np.array([value for _, value in rows if value is not None])
    np.testing.assert_allclose(columns.mean[0], numbers.mean(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(columns.std[0], numbers.std(), rtol=1e-5, atol=1e-5)


# ---- what is refused


def test_no_file(tmp_path):
    with pytest.raises(DataError, match=r"no targets.csv in .* task.targets.file=<csv>"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"mine.csv cannot be read: No such file"):
        read(tmp_path, file=tmp_path / "mine.csv")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["image,scen,x", "train/0,a,1"], r"no column 'scene'\. Did you mean 'scen'\? It has: im"),
        (["file,scene,x", "train/0,a,1"], r"no column 'image'"),
        (["image;scene;x", "train/0;a;1"], "semicolons"),
        (["image,scene,x,x", "train/0,a,1,2"], "2 columns 'x'"),
        (["image,scene,x", "train/0,a,1", "train/1,a,b,1"], "line 3 has 4 cells, the header 3"),
        (["image,scene,x", ",a,1"], "line 2 names no image"),
        (["image,scene,x", "train/0,a,1", "0.png,a,1"], "may be any of"),
        (["image,scene,x", "train/0,a,1", "train/0.png,b,2"], r"line 3: .*stands twice.*line 2"),
        (["image,scene,x", "train/0,a,1,5", "train/1,b,2"], "line 2 has 4 cells"),
        (['image,scene,x', 'train/0,"a,1', "train/1,b,2"], "is no CSV"),
        (["image,scene,x"], "no rows below its header"),
        (["image,scene,x", "train/0,a,1", "train/1,b,much"], "'much' in the column 'x'"),
        (["image,scene,x", "train/0,a,1", "train/1,b,nan"], "line 3: 'nan' in the column 'x' is"),
        (["image,scene,x", "train/0,a,1", "train/1,b,1e39"], "'1e39' in the column 'x' is no num"),
        (["image,scene,x", 'train/0,a,"1,5"', "train/1,b,2"], "'1,5' in the column 'x' is no num"),
        (["image,scene,x", "train/0,a,1", "train/1,a,2"], r"only 'a' in the column 'scene'"),
        (["image,scene,x", "train/0,a,1", "train/1,b,1.0"], "all numbers in the column 'x'"),
        (["image,scene,x", "train/0,a,", "val/0,b,1"], "only 'a' in the column 'scene'"),
        (["image,scene,x", "train/0,a,", "train/1,b,"], "no entry at all in the column 'x'"),
        (["image,scene,x", "val/0,a,1", "val/3,b,2"], "no entry at all in the column 'scene'"),
        (["image,scene,x", "train/0,day,1", "train/1,night,2", "val/0,dya,2"],
         r"line 4: no training image has the scene 'dya'.* Did you mean 'day'"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, lines, message):
    write(tmp_path, *lines)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_columns_that_say_which_image_is_meant_are_no_targets(tmp_path):
    write(tmp_path, "image,split", "train/0,train")
    with pytest.raises(ConfigError, match="the column 'split' says which image is meant"):
        read(tmp_path, category="split", values=())


def test_more_categories_than_can_be_learnt(tmp_path):
    splits = {"train": samples(tmp_path, *(f"{index}.png" for index in range(1001)))}
    write(tmp_path, "image,scene,x", *(f"{index},s{index},{index}" for index in range(1001)))
    with pytest.raises(DataError, match="has 1001 categories; at most 1000"):
        read(tmp_path, splits)


def test_files_that_are_no_such_table(tmp_path, monkeypatch):
    path = write(tmp_path, "image,scene,x", "train/0,é,1")
    path.write_bytes("image,scene,x\ntrain/0,é,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read(tmp_path)
    monkeypatch.setattr("segmentation.data.files.MAX_BYTES", 10)
    with pytest.raises(DataError, match="larger than 0 MiB"):
        read(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends(tmp_path):
    (tmp_path / "targets.csv").write_bytes(
        "\ufeffimage,scene,x\r\ntrain/0,a,1\r\ntrain/1,b,2\r\n".encode()
    )
    columns, _ = read(tmp_path)
    assert columns.categories == ("a", "b")
