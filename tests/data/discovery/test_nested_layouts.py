"""Layouts of tools that leave more than images and masks, or one folder too many."""

import pytest
from fakes import fake_camvid

from segmentation.data.discovery.splits import find_splits
from segmentation.errors import DataError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def voc(root):
    for name in "abcdefgh":
        touch(root, f"JPEGImages/{name}.jpg", f"SegmentationClass/{name}.png")
        touch(root, f"Annotations/{name}.xml", f"SegmentationObject/{name}.png")


def masks_of(splits):
    return {one.mask.parent.name for rows in splits.samples.values() for one in rows}


def test_vocs_masks_are_found_beside_its_boxes(tmp_path):
    voc(tmp_path)
    assert masks_of(find_splits(tmp_path)) == {"SegmentationClass"}


@pytest.mark.parametrize("above", ["VOC2012", "VOCdevkit/VOC2012"])
def test_one_folder_too_high(tmp_path, caplog, above):
    voc(tmp_path / above)
    splits = find_splits(tmp_path)
    assert splits.root == tmp_path / above
    assert masks_of(splits) == {"SegmentationClass"}
    assert f"(as with data.root={tmp_path / above})" in caplog.text


def test_several_folders_that_could_be_meant(tmp_path, caplog):
    fake_camvid(tmp_path / "one")
    fake_camvid(tmp_path / "two")
    with pytest.raises(DataError, match="no images with masks were found"):
        find_splits(tmp_path)
    assert f"several folders below it have: {tmp_path / 'one'}" in caplog.text


def test_carvanas_gifs_are_masks_and_a_preview_is_no_image(tmp_path):
    for name in "abcdefgh":
        touch(tmp_path, f"train/{name}.jpg", f"train_masks/{name}_mask.gif")
    touch(tmp_path, "train/preview.gif")
    splits = find_splits(tmp_path)
    assert {one.mask.suffix for rows in splits.samples.values() for one in rows} == {".gif"}
    assert splits.unpaired_images == []


def test_roboflows_masks_lie_beside_their_images(tmp_path):
    for split in ("train", "valid"):
        for name in ("a_jpg.rf.0123abc", "b_jpg.rf.4567def"):
            touch(tmp_path, f"{split}/{name}.jpg", f"{split}/{name}_mask.png")
        touch(tmp_path, f"{split}/_classes.csv")
    splits = find_splits(tmp_path)
    assert {split: [one.mask.name for one in rows] for split, rows in splits.samples.items()} == {
        split: ["a_jpg.rf.0123abc_mask.png", "b_jpg.rf.4567def_mask.png"]
        for split in ("train", "val")
    }


def test_bands_in_files_of_their_own_are_found_below_too(tmp_path):
    for name in "abcdefgh":
        touch(tmp_path, *(f"set/images/{name}_{band}.tif" for band in ("B04", "B08")))
        touch(tmp_path, f"set/masks/{name}.png")
    splits = find_splits(tmp_path, bands=("{stem}_B04.tif", "{stem}_B08.tif"))
    assert splits.root == tmp_path / "set"
    names = sorted(one.image.name for rows in splits.samples.values() for one in rows)
    assert names == [f"{name}_B04.tif" for name in "abcdefgh"]
