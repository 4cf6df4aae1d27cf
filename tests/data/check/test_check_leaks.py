import numpy as np
import pytest
from fakes import fake_camvid, fake_mask, write_pair
from hypothesis import given
from hypothesis import strategies as st
from made_datasets import made, names_of, only
from PIL import Image, ImageFilter

from segmentation.data.check import check_dataset, leaks
from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import find_splits

HASHES = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=30)


@given(HASHES, HASHES)
def test_the_nearest_hash_is_the_one_with_the_fewest_other_bits(ours, theirs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leaks, "CHUNK", 64)  # several chunks
        nearest, distance = leaks.nearest_by_hash(
            np.array(ours, dtype=np.uint64), np.array(theirs, dtype=np.uint64)
        )
    bits = [[(one ^ other).bit_count() for other in theirs] for one in ours]
    assert distance.tolist() == [min(row) for row in bits]
    assert nearest.tolist() == [row.index(min(row)) for row in bits]


def test_unrelated_images_give_nothing():
    source = made(train=200, val=50, test=50)
    for look_for in (leaks.duplicates, leaks.shared_masks, leaks.look_alikes):
        assert list(look_for(source)) == []


def test_the_same_file_in_two_splits_is_an_error():
    source = made(
        train=(3, {"image_hash": ["a", "b", "c"]}),
        val=(2, {"image_hash": ["b", "d"], "mask_hash": ["mask train train_001", "x"]}),
        test=(2, {"image_hash": ["e", "d"], "mask_hash": ["y", "x"]}),
    )
    found = only(leaks.duplicates(source))
    assert (found.level, found.kind) == ("error", "in-two-splits")
    assert names_of(found) == [("train_001", "val_000"), ("val_001", "test_001")]
    assert (
        "2 images in more than one split (1 in train and val, 1 in val and test)" in found.message
    )
    assert list(leaks.look_alikes(source)) == []


def test_the_same_file_twice_in_a_split_is_a_warning():
    hashes = {"image_hash": ["a", "b", "a", "a"], "mask_hash": ["m", "n", "m", "m"]}
    found = only(leaks.duplicates(made(train=(4, hashes), val=2)))
    assert (found.level, found.kind) == ("warning", "twice")
    assert names_of(found) == [("train_000", "train_002", "train_003")]


def test_one_image_with_two_masks():
    found = list(leaks.duplicates(made(train=(3, {"image_hash": ["a", "b", "a"]}))))
    assert [one.kind for one in found] == ["twice", "two-masks"]
    assert names_of(found[1]) == [("train_000", "train_002")]


def test_one_mask_for_images_that_differ_unless_it_holds_one_class_only():
    masks = {"mask_hash": ["m", "m", "n", "n"], "pixels": np.full((4, 11), 5)}
    masks["pixels"][2:, 1:] = 0
    found = only(leaks.shared_masks(made(train=(4, masks))))
    assert names_of(found) == [("train_000", "train_001")]


def test_one_mask_for_images_that_look_the_same_is_right():
    columns = {"mask_hash": ["m", "m"], "appearance": np.array([5, 4], dtype=np.uint64)}
    assert list(leaks.shared_masks(made(train=(2, columns)))) == []


def test_groups_that_the_splits_divide():
    source = made(train=3, val=2, groups={"train": ["a", "a", "b"], "val": ["c", "a"]})
    found = only(leaks.groups_in_two_splits(source))
    assert found.message.startswith("1 group of images in more than one split: a.")
    assert names_of(found) == [("train_000", "val_001")]
    apart = made(train=2, val=1, groups={"train": ["a", ""], "val": [""]})
    assert list(leaks.groups_in_two_splits(apart)) == []


@pytest.mark.parametrize("bits", [leaks.ALIKE, leaks.ALIKE + 1])
def test_up_to_which_distance_images_look_the_same(bits):
    columns = {"appearance": np.array([2**63, 2**63 + 2**bits - 1], dtype=np.uint64)}
    source = made(train=(2, {"appearance": columns["appearance"][:1].repeat(2)}),
                  val=(2, {"appearance": columns["appearance"][1:].repeat(2)}))  # fmt: skip
    found = list(leaks.look_alikes(source))
    if bits > leaks.ALIKE:
        assert found == []
        return
    assert only(found).level == "warning"
    assert names_of(found[0]) == [("train_000", "val_000"), ("train_000", "val_001")]
    assert found[0].examples[0].note == "6 of 64 bits differ"


def test_images_of_one_colour_do_not_count_as_the_same():
    columns = {"appearance": np.zeros(2, np.uint64), "brightness": np.float32([[0, 0], [255, 0]])}
    assert list(leaks.look_alikes(made(train=(2, columns), val=(2, columns)))) == []


def test_too_many_pairs_are_said_and_not_compared(monkeypatch):
    monkeypatch.setattr(leaks, "MOST_PAIRS", 10)
    same = {"appearance": np.full(5, 3, np.uint64)}
    found = only(leaks.look_alikes(made(train=(5, same), val=(5, same))))
    assert (found.level, found.kind) == ("note", "not-compared")


@pytest.fixture
def photos():
    """Smooth noise: like photographs, most of it is in the low frequencies."""

    def photo(seed):
        coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC)

    return photo


def test_copies_that_were_saved_again_are_found_and_other_photos_are_not(tmp_path, photos):
    rng = np.random.default_rng(0)
    for split, seeds in {"train": range(12), "val": range(100, 112)}.items():
        for seed in seeds:
            mask = fake_mask(rng, (72, 96))
            write_pair(tmp_path, split, f"{split}_{seed}", np.asarray(photos(seed)), mask)
    splits = find_splits(tmp_path)
    assert [one.kind for one in leaks.look_alikes(scan_dataset(tmp_path, splits, "camvid"))] == []
    changes = {
        "jpeg": lambda image: image,
        "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
        "darker": lambda image: image.point(lambda value: value * 0.7),
        "smaller": lambda image: image.resize((48, 36)),
    }
    for seed, (name, change) in enumerate(changes.items()):
        image = change(photos(seed))
        image.save(tmp_path / "val" / f"{name}.jpg", quality=40)
        mask = Image.fromarray(fake_mask(rng, image.size[::-1]))
        mask.save(tmp_path / "valannot" / f"{name}.png")
    found = only(leaks.look_alikes(scan_dataset(tmp_path, find_splits(tmp_path), "camvid")))
    assert set(names_of(found)) == {
        (f"train_{seed}", name) for seed, name in enumerate(changes)
    }  # fmt: skip


def test_identical_files_on_disk_are_found(tmp_path):
    root = fake_camvid(tmp_path)
    for folder in ("", "annot"):
        original = root / f"train{folder}" / "train_002.png"
        (root / f"test{folder}" / "copy.png").write_bytes(original.read_bytes())
    found = check_dataset(scan_dataset(root, find_splits(root), "camvid"))
    assert names_of(only(found, "in-two-splits")) == [("train_002", "copy")]
