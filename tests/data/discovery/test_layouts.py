import os

import numpy as np
import pytest
from PIL import Image

from segmentation.data.discovery.layouts import LAYOUTS, SPLITS, find_layout, image_files_below
from segmentation.data.discovery.splits import find_splits
from segmentation.errors import DataError

LAYOUT_EXAMPLES = {
    "{split}|{split}annot": ("train/{n}.png", "trainannot/{n}.png"),
    "{split}|{split}_{masks}": ("val/{n}.jpg", "val_labels/{n}_L.png"),
    "leftImg8bit/{split}|gtFine/{split}": (
        "leftImg8bit/train/ulm/{n}_leftImg8bit.png", "gtFine/train/ulm/{n}_gtFine_labelIds.png",
    ),
    "{images}/{split}|{masks}/{split}": ("images/training/{n}.JPG", "Annotations/training/{n}.png"),
    "{split}/{images}|{split}/{masks}": ("valid/imgs/{n}.webp", "valid/labels/{n}_label.png"),
    "{split}_{images}/{split}|{split}_{masks}/{split}": (
        "train_images/train/{n}.png", "train_masks/train/{n}.png",
    ),
    "{split}_{images}|{split}_{masks}": ("test_images/{n}.bmp", "test_masks/{n}_mask.bmp"),
    "{images}|{masks}": ("JPEGImages/{n}.tif", "SegmentationClass/{n}.png"),
    "{split}|{split}": ("train/{n}.jpeg", "train/{n}_gt.png"),
    "|": ("{n}.jpg", "{n}_seg.png"),
}  # fmt: skip


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_there_is_an_example_of_every_layout():
    assert [f"{one.images}|{one.masks}" for one in LAYOUTS] == list(LAYOUT_EXAMPLES)


@pytest.mark.parametrize("number", range(len(LAYOUTS)), ids=list(LAYOUT_EXAMPLES))
def test_every_layout_is_found(tmp_path, number):
    image, mask = list(LAYOUT_EXAMPLES.values())[number]
    names = ["a_1", "b 2", "ü_3"]
    touch(tmp_path, *(pattern.format(n=name) for name in names for pattern in (image, mask)))
    layout, found = find_layout(tmp_path)
    assert layout is LAYOUTS[number]
    (folders,) = (one for one in found.values() if one.samples)
    prefix = "ulm/" if "ulm" in image else ""
    assert [sample.name for sample in folders.samples] == [prefix + name for name in names]
    for sample, name in zip(folders.samples, names, strict=True):
        assert sample.image == tmp_path / image.format(n=name)
        assert sample.mask == tmp_path / mask.format(n=name)
    assert not folders.images
    assert not folders.masks


def test_cityscapes_has_labels_of_both_kinds(tmp_path):
    for kind in ("labelIds", "labelTrainIds", "color", "instanceIds"):
        touch(tmp_path, f"gtFine/val/bonn/x_gtFine_{kind}.png")
    touch(tmp_path, "leftImg8bit/val/bonn/x_leftImg8bit.png")
    assert find_layout(tmp_path)[1]["val"].samples[0].mask.stem.endswith("labelIds")
    _, found = find_layout(tmp_path, "_gtFine_labelTrainIds")
    assert found["val"].samples[0].mask.stem.endswith("labelTrainIds")
    assert not found["val"].masks


def test_files_without_a_partner_are_noted(tmp_path):
    touch(tmp_path, "images/a.png", "images/b.png", "masks/a.png", "masks/c.png")
    _, found = find_layout(tmp_path)
    assert [path.name for path in found[""].images] == ["b.png"]
    assert [path.name for path in found[""].masks] == ["c.png"]


def test_leftovers_beside_each_other_are_told_apart_by_their_ending(tmp_path):
    touch(tmp_path, "a.png", "a_mask.png", "b.png", "z_mask.png")
    _, found = find_layout(tmp_path)
    assert [path.name for path in found[""].images] == ["b.png"]
    assert [path.name for path in found[""].masks] == ["z_mask.png"]


def test_a_jpeg_beside_a_mask_is_a_preview(tmp_path):
    touch(tmp_path, "images/a.jpg", "masks/a.png", "masks/a.jpg")
    assert find_layout(tmp_path)[1][""].samples[0].mask.name == "a.png"


def test_a_split_without_masks_is_left_out_and_said(tmp_path, caplog):
    touch(tmp_path, "train/a.png", "trainannot/a.png", "test/b.png")
    assert set(find_layout(tmp_path)[1]) == {"train"}
    assert "test has no folder of masks" in caplog.text


def test_two_files_of_one_name_are_refused(tmp_path):
    touch(tmp_path, "images/a.png", "images/a.jpg", "masks/a.png")
    with pytest.raises(DataError, match=r"two files of the same name, a\.jpg and a\.png"):
        find_layout(tmp_path)


def test_links_that_loop_and_hidden_files(tmp_path):
    touch(tmp_path, "images/a.png", "images/.b.png", "images/.trash/c.png", "elsewhere/d.png")
    (tmp_path / "images" / "loop").symlink_to(tmp_path / "images")
    (tmp_path / "images" / "far").symlink_to(tmp_path / "elsewhere")
    found = [path.relative_to(tmp_path / "images").as_posix()
             for path in image_files_below(tmp_path / "images")]  # fmt: skip
    assert found == ["a.png", "far/d.png"]


def test_a_name_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    with open(os.fsencode(tmp_path / "images") + b"/a\xff.png", "wb"):
        pass
    touch(tmp_path, "masks/a.png")
    with pytest.raises(DataError, match=r"name is not printable text: 'a\\udcff\.png'"):
        find_layout(tmp_path)


def test_what_is_nowhere_says_what_is_there(tmp_path):
    touch(tmp_path, "photos/a.png")
    with pytest.raises(DataError, match=r"(?s)photos/  1 \.png.*data\.pairs=<csv"):
        find_splits(tmp_path)
    with pytest.raises(DataError, match=r"data\.root=<folder"):
        find_splits(tmp_path / "nowhere")


def test_an_unreadable_folder_is_not_silently_empty(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    touch(tmp_path, "images/a.png", "masks/a.png")
    (tmp_path / "images").chmod(0)
    with pytest.raises((DataError, PermissionError)):
        find_splits(tmp_path)


def test_real_camvid(camvid_root):
    found = find_splits(camvid_root)
    assert {split: len(rows) for split, rows in found.samples.items()} == {"train": 367, "val": 101}
    assert found.description == "train/ + trainannot/, val/ + valannot/"
    assert set(found.samples) < set(SPLITS)
    with Image.open(found.samples["val"][0].mask) as mask:
        assert np.array(mask).max() <= 11


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/image_{n}.png", "masks/mask_{n}.png"),
        ("img/image{n}.jpg", "gt/mask{n}.png"),
        ("images/{n}_sat.jpg", "masks/{n}_mask.png"),
        ("images/{n}.jpg", "masks/mask_{n}.png"),
        ("img_{n}.jpg", "mask_{n}.png"),
        ("train/{n}_sat.jpg", "train/{n}_mask.png"),
    ],
)
def test_what_names_may_begin_and_end_with(tmp_path, image, mask):
    touch(tmp_path, *(pattern.format(n=n) for n in ("1", "02") for pattern in (image, mask)))
    _, found = find_layout(tmp_path)
    (files,) = (files for files in found.values() if files.samples)
    assert [(one.image, one.mask) for one in files.samples] == [
        (tmp_path / image.format(n=n), tmp_path / mask.format(n=n)) for n in ("02", "1")
    ]
    assert not files.images
    assert not files.masks


def test_an_image_and_its_mask_may_differ_in_their_suffix_alone(tmp_path):
    touch(tmp_path, "a.jpg", "a.png", "b.jpeg", "b.png", "c.jpg")
    _, found = find_layout(tmp_path)
    pairs = [(one.image.name, one.mask.name) for one in found[""].samples]
    assert pairs == [("a.jpg", "a.png"), ("b.jpeg", "b.png")]
    assert [path.name for path in found[""].images] == ["c.jpg"]


def test_two_files_of_one_name_beside_each_other_are_no_layout(tmp_path):
    touch(tmp_path, "images/a.jpg", "images/a.webp", "images/b.png", "images/b.tif")
    assert find_layout(tmp_path) is None


def test_a_second_folder_of_a_split_is_said(tmp_path, caplog):
    for folder in ("train", "val", "validation"):
        touch(tmp_path, f"{folder}/images/a.png", f"{folder}/masks/a.png")
    assert set(find_layout(tmp_path)[1]) == {"train", "val"}
    assert "validation is left out: the val split is another folder" in caplog.text


def test_bands_in_files_of_their_own_are_one_image(tmp_path):
    images = [f"{stem}_{band}.tif" for stem in ("a", "b_1") for band in ("B04", "B08")]
    touch(tmp_path / "images", *images, "alone_B04.tif")
    touch(tmp_path / "masks", "a_mask.png", "b_1_mask.png")
    found = find_layout(tmp_path, bands=("{stem}_B04.tif", "{stem}_B08.tif"))
    assert found is not None
    files = found[1][""]
    assert [(one.name, one.image.name, one.mask.name) for one in files.samples] == [
        ("a", "a_B04.tif", "a_mask.png"),
        ("b_1", "b_1_B04.tif", "b_1_mask.png"),
    ]
    assert [path.name for path in files.images] == ["alone_B04.tif"]
