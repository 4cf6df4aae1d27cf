from pathlib import Path

import numpy as np
import pytest
from fakes import fake_camvid
from made_datasets import CLASSES, made, names_of, only
from PIL import Image

from segmentation.data.check import check_dataset, content
from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import find_splits


@pytest.mark.parametrize(("skip", "level"), [(False, "error"), (True, "warning")])
def test_files_without_a_partner(skip, level):
    source = made(train=1, images=[Path("a.png")], masks=[Path("b.png"), Path("c.png")])
    images, masks = content.unpaired(source, skip)
    assert (images.level, images.message) == (level, "1 image without a mask: a.png.")
    assert (masks.level, masks.message) == ("warning", "2 masks without an image: b.png, c.png.")
    assert masks.examples[1].items[0].mask == Path("c.png")


@pytest.mark.parametrize(("skip", "level"), [(False, "error"), (True, "warning")])
def test_pairs_that_cannot_be_used(tmp_path, skip, level):
    root = fake_camvid(tmp_path)
    broken = root / "train" / "train_001.png"
    broken.write_bytes(broken.read_bytes()[:100])
    mask = root / "valannot" / "val_002.png"
    Image.fromarray(np.asarray(Image.open(mask)) + 50).save(mask)
    found = check_dataset(scan_dataset(root, find_splits(root), "camvid"), skip)
    one = only(found, "unusable")
    assert one.level == level
    assert "2 pairs that cannot be used (1 in train, 1 in val)" in one.message
    assert ("they are left out" in one.message) == skip
    assert names_of(one) == [("train_001",), ("val_002",)]
    assert "train_001.png cannot be read" in one.examples[0].note
    assert "holds labels outside the class table: 50" in one.examples[1].note


def test_a_data_set_of_which_nothing_can_be_read_is_no_crash():
    source = made(train=(2, {"problem": ["gone", "gone"]}))
    assert [one.kind for one in check_dataset(source)] == ["unusable"]


def test_masks_that_are_all_void():
    pixels, void = np.full((3, CLASSES), 100), np.full(3, 10)
    pixels[1], void[1] = 0, 1110
    found = only(content.unlabelled(made(train=(3, {"pixels": pixels, "void": void}))))
    assert (found.level, found.kind) == ("warning", "unlabelled")
    assert names_of(found) == [("train_001",)]


@pytest.mark.parametrize(("split", "level"), [("train", "error"), ("val", "warning")])
def test_a_split_that_is_all_void(split, level):
    found = only(content.unlabelled(made(**{split: (2, {"pixels": np.zeros((2, CLASSES), int)})})))
    assert (found.level, found.kind) == (level, "nothing-labelled")
    assert f"every pixel of {split} is void" in found.message


def test_much_void():
    assert list(content.unlabelled(made(train=(2, {"void": [1000, 1000]})))) == []
    found = only(content.unlabelled(made(train=(2, {"void": [1300, 1300]}))))
    assert found.kind == "much-void"
    assert "54% of the pixels of train are void" in found.message  # 1300 of 1300 + 11 * 100


def test_many_masks_of_one_class():
    pixels = np.full((10, CLASSES), 100)
    pixels[:1, 1:] = 0
    assert list(content.one_class(made(train=(10, {"pixels": pixels})))) == []
    pixels[:2, 1:] = 0
    found = only(content.one_class(made(train=(10, {"pixels": pixels}), val=4)))
    assert (found.level, found.message) == ("note", "masks of a single class: 20% of train.")


def test_blank_and_badly_exposed_images():
    brightness = np.float32([[0, 0], [255, 0], [128, 1], [5, 9], [250, 9], [100, 30]])
    blank, exposure = content.blank(made(train=(6, {"brightness": brightness})))
    assert (blank.level, names_of(blank)) == (
        "warning", [("train_000",), ("train_001",), ("train_002",)],
    )  # fmt: skip
    assert (exposure.level, names_of(exposure)) == ("note", [("train_003",), ("train_004",)])


def test_sizes():
    assert list(content.sizes(made(train=2, val=2))) == []
    sizes = {"sizes": [[30, 40], [30, 40], [40, 30], [61, 80], [15, 19]]}
    mixed, odd = content.sizes(made(train=(5, sizes), val=2))
    assert "images of 4 sizes, 15x19 to 61x80" in mixed.message
    assert names_of(odd) == [("train_003",), ("train_004",)]
    assert {mixed.level, odd.level} == {"note"}
