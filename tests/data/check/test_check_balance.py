import numpy as np
import pytest
from fakes import LABELS
from made_datasets import CLASSES, made, names_of, only

from segmentation.classes import Entry
from segmentation.data.check import balance, check_dataset, quick_check
from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import find_splits
from segmentation.data.masks.labels import Labels
from segmentation.errors import DataError
from segmentation.streets import write_streets

NAMES = LABELS.classes.names


def pixels(count=10, **shares):
    """Return pixels (count, C): 1000 for each class but those given."""
    rows = np.full((count, CLASSES), 1000)
    for name, value in shares.items():
        rows[:, NAMES.index(name)] = value
    return {"pixels": rows}


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        (("train",), "Car: not in train, so no model can learn them"),
        (
            ("val",),
            "Car: not in val, where their IoU is 0 if predicted at all, and",
        ),
        (("val", "test"), "Car: not in val or test, where"),
        (("train", "val", "test"), "Car: in no mask"),
    ],
)
def test_classes_that_are_absent(lacking, said):
    splits = {
        split: (10, pixels(Car=0) if split in lacking else pixels())
        for split in ("train", "val", "test")
    }
    found = only(balance.absent(made(**splits)))
    assert found.level == "warning"
    assert found.message.startswith(said)


def test_a_split_without_any_label_lacks_no_class_in_particular():
    empty = {"pixels": np.zeros((2, CLASSES), int)}
    assert list(balance.absent(made(train=2, test=(2, empty)))) == []


def test_rare_by_pixels():
    found = only(balance.rare(made(train=(10, pixels(Pole=130, Fence=150)))))  # 1.40% and 1.62%
    assert "rare in train: Pole 1.4% of its" in found.message
    assert len(found.examples) == balance.SHOWN
    assert found.examples[0].note.startswith("Pole: ")


def test_rare_by_images():
    held = pixels(100)
    held["pixels"][1:, NAMES.index("Car")] = 0
    held["pixels"][0, NAMES.index("Car")] = 10**6
    found = only(balance.rare(made(train=(100, held))))
    assert "(in 1 image)" in found.message
    assert names_of(found) == [("train_000",)]


def test_of_many_classes_none_is_rare_for_there_being_many():
    labels = Labels([Entry(f"c{index}", (index, 0, 0), index) for index in range(150)])
    assert list(balance.rare(made(labels, train=5))) == []


def test_splits_that_differ():
    source = made(train=(10, pixels(Car=300)), val=(10, pixels()), test=(10, pixels(Car=200)))
    found = only(balance.shift(source))
    assert found.level == "note"
    assert found.message == "train and val hold different shares of Car 2.9% and 9.1%."


def test_real_camvid_has_five_rare_classes(camvid_root, caplog):
    source = scan_dataset(camvid_root, find_splits(camvid_root), "camvid")
    found = check_dataset(source)
    assert [(one.level, one.kind) for one in found] == [
        ("warning", "video"), ("warning", "rare-class"), ("note", "shift"),
    ]  # fmt: skip
    rare = only(found, "rare-class").message
    for told in ("Pole 1.0%", "SignSymbol 1.2%", "Fence 1.2%", "Pedestrian 0.7%", "Bicyclist 0.3%"):
        assert told in rare
    assert "Car" not in rare
    quick_check(source)
    (line,) = caplog.messages  # the rare classes are not worth a line at each start
    assert "val continues the videos of train: all its 101 images" in line
    assert "0016E5_07959 to 0016E5_08159 between 0016E5_07920 and 0016E5_08190" in line
    assert len(line) < 250


def test_the_generated_streets_start_without_a_warning(tmp_path, caplog):
    write_streets(tmp_path, size=(96, 128), counts={"train": 24, "val": 12, "test": 12})
    found = quick_check(scan_dataset(tmp_path, find_splits(tmp_path), "camvid"))
    assert found == []
    assert caplog.messages == []


def test_a_start_warns_of_leaks_and_absent_classes_only(caplog):
    shared = {"image_hash": [f"same {index}" for index in range(10)]}
    shared["mask_hash"] = shared["image_hash"]
    dark = {"brightness": np.zeros((10, 2), np.float32)}
    source = made(
        train=(10, {**pixels(Pole=10), **shared, **dark}),
        val=(10, {**pixels(Car=0), **shared}),
    )
    quick_check(source)
    assert [line[:40] for line in caplog.messages] == [
        "10 images in more than one split (10 in ",
        "Car: not in val, where their IoU is 0 if",
    ]
    caplog.clear()
    quick_check(made(train=10, val=10))
    assert caplog.messages == []


def test_a_start_without_a_label_is_an_error():
    source = made(train=(2, {"pixels": np.zeros((2, CLASSES), int)}), val=2)
    with pytest.raises(DataError, match="every pixel of train is void"):
        quick_check(source)
