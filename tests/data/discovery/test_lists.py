from pathlib import Path

import pytest

from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.lists import apply_lists, find_lists
from segmentation.errors import DataError

SAMPLES = [Sample(name, Path(f"/d/JPEGImages/{name}.jpg"), None) for name in ("a", "b", "c 1", "d")]


def write(folder, **lists):
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("place", ["ImageSets/Segmentation", "imagesets", "splits", "Lists", "."])
def test_where_lists_lie(tmp_path, place):
    write(tmp_path / place, train=["a"], val=["b"])
    assert {split: path.name for split, path in find_lists(tmp_path).items()} == {
        "train": "train.txt", "val": "val.txt",
    }  # fmt: skip


def test_names_of_splits(tmp_path):
    write(tmp_path, training=["a"], valid=["b"], testing=["c 1"], notes=["x"])
    names = {split: path.name for split, path in find_lists(tmp_path).items()}
    assert names == {"train": "training.txt", "val": "valid.txt", "test": "testing.txt"}


def test_trainval_counts_where_there_is_no_train(tmp_path):
    write(tmp_path / "a", trainval=["a"], test=["b"])
    assert find_lists(tmp_path / "a")["train"].name == "trainval.txt"
    write(tmp_path / "b", trainval=["a"], train=["a"], val=["b"])
    assert find_lists(tmp_path / "b")["train"].name == "train.txt"
    write(tmp_path / "c", val=["b"])
    assert find_lists(tmp_path / "c") == {}


@pytest.mark.parametrize(
    "line",
    [
        "c 1",
        "c 1.jpg",
        "JPEGImages/c 1.jpg",
        "/JPEGImages/c 1",
        "JPEGImages\\c 1.jpg",
        "/SegNet/CamVid/JPEGImages/c 1.jpg",
    ],
)
def test_a_line_is_a_path_or_its_end(tmp_path, line):
    found = apply_lists(SAMPLES, find_lists(write(tmp_path, train=["a", line], val=["b -1"])))
    assert [sample.name for sample in found.samples["train"]] == ["a", "c 1"]
    assert [sample.name for sample in found.samples["val"]] == ["b"]
    assert [sample.name for sample in found.unlisted] == ["d"]


@pytest.mark.parametrize("line", ["a.jpg masks/a.png", "a,masks/a.png", "JPEGImages/a.jpg\tx"])
def test_what_follows_the_image_is_not_used(tmp_path, line):
    found = apply_lists(SAMPLES, find_lists(write(tmp_path, train=[line], val=["b", "gone"])))
    assert [sample.name for sample in found.samples["train"]] == ["a"]
    assert found.missing == ["gone"]


def test_trainval_without_train_gives_what_val_does_not_name(tmp_path):
    lists = find_lists(write(tmp_path, trainval=["a", "b", "d"], val=["b"]))
    names = {
        s: [one.name for one in rows] for s, rows in apply_lists(SAMPLES, lists).samples.items()
    }
    assert names == {"train": ["a", "d"], "val": ["b"]}


def test_a_line_with_a_folder_is_not_another_folders_image(tmp_path):
    rows = [Sample("B/0", Path("/d/images/B/0.jpg"), None), SAMPLES[0]]
    found = apply_lists(rows, find_lists(write(tmp_path, train=["A/0", "a"])))
    assert found.missing == ["A/0"]
    found = apply_lists(rows, find_lists(write(tmp_path, train=["photos/B/0.jpg", "x/a"])))
    assert not found.missing


def test_lists_that_contradict_themselves(tmp_path):
    with pytest.raises(DataError, match=r"a is in .*train\.txt and in .*val\.txt"):
        apply_lists(SAMPLES, find_lists(write(tmp_path / "a", train=["a"], val=["a"])))
    with pytest.raises(DataError, match=r"val\.txt names no image that has a mask, such as x"):
        apply_lists(SAMPLES, find_lists(write(tmp_path / "b", train=["a"], val=["x"])))
    twins = [Sample(f"{f}/a", Path(f"/d/{f}/a.jpg"), None) for f in ("u", "v")]
    with pytest.raises(DataError, match="may be any of"):
        apply_lists(twins, find_lists(write(tmp_path / "c", train=["a"])))
    found = apply_lists(twins, find_lists(write(tmp_path / "d", train=["v/a.jpg"])))
    assert found.samples["train"] == twins[1:]
