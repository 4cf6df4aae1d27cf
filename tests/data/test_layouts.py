import pytest
from fakes import fake_camvid

from segmentation.data.layouts import available_splits, find_samples
from segmentation.errors import DataError


def test_pairs_by_stem_without_split_files(tmp_path):
    root = fake_camvid(tmp_path)
    assert available_splits(root) == ["train", "val", "test"]
    samples = find_samples(root, "train")
    assert [sample.name for sample in samples] == [f"train_{i:03d}" for i in range(6)]
    assert all(sample.mask.parent.name == "trainannot" for sample in samples)


def test_split_files_choose_and_only_their_last_two_parts_count(tmp_path):
    root = fake_camvid(tmp_path)
    (root / "train.txt").write_text(
        "/SegNet/CamVid/train/train_004.png /SegNet/CamVid/trainannot/train_004.png\n\n"
        "train/train_001.png trainannot/train_001.png\n"
    )
    assert [sample.name for sample in find_samples(root, "train")] == ["train_004", "train_001"]


def test_an_absent_folder_says_what_to_type(tmp_path):
    with pytest.raises(DataError, match=r"data\.root=<folder"):
        find_samples(tmp_path / "nowhere", "train")


def test_an_absent_split_says_which_are_there(tmp_path):
    root = fake_camvid(tmp_path, {"train": 1, "val": 1})
    with pytest.raises(DataError, match=r"no test/ in .*splits there: train, val"):
        find_samples(root, "test")


def test_a_split_without_masks_is_left_out_and_said(tmp_path, caplog):
    root = fake_camvid(tmp_path)
    (root / "testannot").rename(root / "elsewhere")
    assert available_splits(root) == ["train", "val"]
    assert "has no testannot/" in caplog.text


def test_a_missing_mask_is_named(tmp_path):
    root = fake_camvid(tmp_path)
    (root / "trainannot" / "train_002.png").unlink()
    with pytest.raises(DataError, match=r"1 images .* have no mask .*train_002\.png"):
        find_samples(root, "train")


def test_a_listed_file_that_is_missing_is_named(tmp_path):
    root = fake_camvid(tmp_path)
    (root / "val.txt").write_text("val/gone.png valannot/gone.png\n")
    with pytest.raises(DataError, match=r"names 2 files .*val/gone\.png"):
        find_samples(root, "val")


def test_no_images(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "trainannot").mkdir()
    with pytest.raises(DataError, match="no images for the train split"):
        find_samples(tmp_path, "train")


def test_real_camvid(camvid_root):
    assert len(find_samples(camvid_root, "train")) == 367
    assert len(find_samples(camvid_root, "val")) == 101
    with pytest.raises(DataError, match="no test/"):
        find_samples(camvid_root, "test")
