"""Every column of targets.csv as text."""

from pathlib import Path

import pytest

from segmentation.data.discovery.layouts import Sample
from segmentation.data.targets.columns import read_target_columns
from segmentation.errors import DataError


def splits_of(root):
    return {
        split: [
            Sample(Path(name).stem, root / split / name, root / f"{split}annot" / name)
            for name in names
        ]
        for split, names in {"train": ["0.png", "1.png"], "val": ["0.png", "3.png"]}.items()
    }


def write(root, text):
    root.mkdir(parents=True, exist_ok=True)
    (root / "targets.csv").write_text(text)


def test_each_column_has_a_cell_for_each_image_of_the_split(tmp_path):
    write(tmp_path, "image,weather,lux\ntrain/0.png,sun,9\nval/3,rain,0.5\nval/0.png,,7\n")
    assert read_target_columns(tmp_path, splits_of(tmp_path), "val") == {
        "weather": ["", "rain"],
        "lux": ["7", "0.5"],
    }


def test_files_of_several_folders_and_the_column_split_are_understood(tmp_path):
    write(tmp_path / "val", "image,night\n0.png,yes\n")
    write(tmp_path, "image,split,weather\n3.png,val,fog\n0.png,train,sun\n")
    found = read_target_columns(tmp_path, splits_of(tmp_path), "val")
    assert found == {"night": ["yes", ""], "weather": ["", "fog"]}


def test_a_file_of_the_users_own_is_read_alone(tmp_path):
    write(tmp_path, "image,weather\nval/0.png,sun\n")
    write(tmp_path / "other", "image,scene\nval/0.png,town\n")
    file = tmp_path / "other" / "targets.csv"
    found = read_target_columns(tmp_path, splits_of(tmp_path), "val", file)
    assert found == {"scene": ["town", ""]}


def test_an_image_whose_name_was_escaped_is_found(tmp_path):
    write(tmp_path, "image,'=scene\n'-x.png,'+town\n")
    splits = {"val": [Sample("-x", tmp_path / "val/-x.png", None)]}
    assert read_target_columns(tmp_path, splits, "val") == {"=scene": ["+town"]}


def test_what_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no targets.csv in"):
        read_target_columns(tmp_path, splits_of(tmp_path), "val")
    write(tmp_path, "image,weather\ntrain/0.png,sun\n")
    with pytest.raises(DataError, match="nothing to say of the images of the val split"):
        read_target_columns(tmp_path, splits_of(tmp_path), "val")
    write(tmp_path, 'image,weather\nval/0.png,"sun\n')
    with pytest.raises(DataError, match="is no CSV"):
        read_target_columns(tmp_path, splits_of(tmp_path), "val")
    write(tmp_path, "image,weather,weather\nval/0.png,sun,sun\n")
    with pytest.raises(DataError, match="2 columns 'weather'"):
        read_target_columns(tmp_path, splits_of(tmp_path), "val")
