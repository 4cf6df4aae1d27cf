"""Cross-validation: k parts of what is not test, each of them val once."""

from collections import Counter

import pytest
from fakes import fake_camvid
from hypothesis import given
from hypothesis import strategies as st

from segmentation.data.discovery.folds import into_folds
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.splits import find_splits
from segmentation.errors import DataError


def names(rows):
    return [sample.name for sample in rows]


@given(
    groups=st.lists(st.sampled_from("abcdefgh") | st.just(""), min_size=3, max_size=60),
    folds=st.integers(2, 6),
)
def test_every_sample_is_in_one_fold_with_its_whole_group(groups, folds, tmp_path_factory):
    path = tmp_path_factory.getbasetemp()
    samples = [Sample(f"s{index:02d}", path, path, group) for index, group in enumerate(groups)]
    units = {sample.group or sample.name for sample in samples}
    if len(units) < folds:
        with pytest.raises(DataError, match=r"cannot be divided into data\.folds"):
            into_folds(samples, folds)
        return
    parts = into_folds(samples, folds)
    assert Counter(names(row for rows in parts for row in rows)) == Counter(names(samples))
    of_group = {}
    for index, rows in enumerate(parts):
        for sample in rows:
            of_group.setdefault(sample.group or sample.name, set()).add(index)
    assert all(len(found) == 1 for found in of_group.values())
    assert into_folds(samples[::-1], folds) == parts  # the order of files does not matter
    largest = max(Counter(sample.group or sample.name for sample in samples).values())
    sizes = sorted(map(len, parts))
    assert sizes[0] > 0
    assert sizes[-1] - sizes[0] <= largest  # as even as groups allow, dealt out one by one


def test_each_fold_is_val_once_and_test_stays(tmp_path):
    root = fake_camvid(tmp_path, {"train": 7, "val": 3, "test": 2})
    turns = [find_splits(root, fold=(fold, 5)) for fold in range(5)]
    everything = names(find_splits(root).samples["train"] + find_splits(root).samples["val"])
    assert sorted(name for turn in turns for name in names(turn.samples["val"])) == sorted(
        everything
    )
    for fold, turn in enumerate(turns):
        assert sorted(names(turn.samples["train"] + turn.samples["val"])) == sorted(everything)
        assert names(turn.samples["test"]) == ["test_000", "test_001"]
        assert f"val is fold {fold} of 5, by name" in turn.description


def test_frames_of_one_group_are_never_on_both_sides(tmp_path, caplog):
    root = fake_camvid(tmp_path, {"train": 9, "val": 3})
    turns = [find_splits(root, group=r"(\d)$", fold=(fold, 3)) for fold in range(3)]
    for turn in turns:
        sides = [{name[-1] for name in names(turn.samples[split])} for split in ("train", "val")]
        assert not sides[0] & sides[1]
    assert "by data.group" in turns[0].description
    assert not caplog.records
    find_splits(root, fold=(0, 3))
    assert "drawn at random by name" in caplog.text


def test_data_that_nobody_has_split_are_all_in_the_folds(tmp_path):
    made = fake_camvid(tmp_path / "made", {"train": 6})
    root = tmp_path / "flat"
    root.mkdir()
    (made / "train").rename(root / "images")
    (made / "trainannot").rename(root / "masks")
    found = find_splits(root, fold=(1, 3))
    assert {split: len(rows) for split, rows in found.samples.items()} == {"train": 4, "val": 2}
