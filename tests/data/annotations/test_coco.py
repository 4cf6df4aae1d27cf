import json

import numpy as np
import pytest
from annotated import SQUARE, coco, found, mask_of, names_of, write, write_images
from pycocotools import mask as coco_mask

from segmentation.errors import DataError

CAR = {"segmentation": [SQUARE]}


def dataset(root, objects, categories=None, images=("a.png",)):
    write_images(root / "images", *images)
    write(root / "coco.json", coco(images, objects, categories))
    return root


def test_categories_keep_their_names_in_the_order_of_their_ids(tmp_path):
    objects = [
        CAR | {"category_id": 90},
        {"segmentation": [[9, 2, 14, 2, 14, 8]], "category_id": 7},
    ]
    splits = found(dataset(tmp_path, objects, {90: "no", 7: "007", 3: "unused"}))
    assert names_of(splits) == ["background", "unused", "007", "no"]
    mask = mask_of(splits, "a")
    assert mask[4, 4] == 3
    assert mask[3, 13] == 2
    assert mask[0, 0] == 0
    assert "1 image, 2 regions turned into masks in" in splits.description


@pytest.mark.parametrize("text", [True, False])
def test_crowds_of_rle_are_labelled_below_all_else(tmp_path, text):
    crowd = np.ones((12, 16), dtype=np.uint8, order="F")
    encoded = coco_mask.encode(crowd)
    counts = encoded["counts"].decode() if text else [0, 12 * 16]
    objects = [CAR, {"segmentation": {"size": [12, 16], "counts": counts}, "iscrowd": 1,
                     "category_id": 2}]  # fmt: skip
    splits = found(dataset(tmp_path, objects, {1: "car", 2: "people"}))
    mask = mask_of(splits, "a")
    assert names_of(splits) == ["car", "people"]  # nothing is background
    assert (mask == 1).sum() == 36
    assert (mask == 2).sum() == 12 * 16 - 36
    assert "1 crowd region (iscrowd) labelled as their class" in splits.description


def test_a_file_for_each_split(tmp_path):
    write_images(tmp_path / "train2017", "1.png", "2.png")
    write_images(tmp_path / "val2017", "1.png")
    write(tmp_path / "annotations/instances_train2017.json", coco(["1.png", "2.png"], [CAR]))
    write(tmp_path / "annotations/instances_val2017.json", coco(["1.png"], [CAR]))
    captions = {"info": {}, "images": [], "annotations": [{"image_id": 0, "caption": "a car"}]}
    write(tmp_path / "annotations/captions_val2017.json", captions)
    listing = {"info": {}, "images": [], "categories": []}
    write(tmp_path / "annotations/image_info_test2017.json", listing)
    keypoints = coco(["1.png"], [CAR])
    write(tmp_path / "annotations/person_keypoints_val2017.json", keypoints)
    splits = found(tmp_path)
    paths = {
        split: [one.image.parent.name for one in rows] for split, rows in splits.samples.items()
    }
    assert paths == {"train": ["train2017"] * 2, "val": ["val2017"]}
    assert "1 image without any region: all background" in splits.description


def test_images_that_are_missing_are_named_and_left_out(tmp_path, caplog):
    write_images(tmp_path, "a.png")
    write(tmp_path / "coco.json", coco(["a.png", "b.png", "C:\\data\\c.png"], [CAR]))
    assert len(found(tmp_path).samples[""]) == 1
    assert "coco.json: 2 of 3 images are not there and left out: b.png, C:" in caplog.text
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match=r"none of the 3 images that coco\.json names is in"):
        found(tmp_path)


def test_images_with_another_suffix_are_told(tmp_path):
    write_images(tmp_path / "images", "a.png")
    write(tmp_path / "coco.json", coco(["a.jpg"], [CAR]))
    with pytest.raises(DataError, match=r"names a\.jpg, and the image is called images/a\.png"):
        found(tmp_path)


def test_boxes_alone_are_no_masks(tmp_path):
    objects = [{"bbox": [1, 1, 4, 4], "segmentation": []}]
    with pytest.raises(
        DataError, match=r"COCO annotations of boxes alone \(1 box, no segmentation"
    ):
        found(dataset(tmp_path, objects))


def test_a_box_beside_masks_is_void(tmp_path, caplog):
    objects = [CAR, {"bbox": [6, 6, 6, 4]}]
    splits = found(dataset(tmp_path, objects))
    mask = mask_of(splits, "a")
    assert (mask == 1).sum() == 36
    assert (mask == 255).sum() == 24 - 4
    assert names_of(splits) == ["background", "car", "void"]
    assert "1 object with a box and no mask: the pixels of the box are void" in caplog.text


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([CAR | {"category_id": 5}], "annotation 0 has the category 5, which is not among"),
        ([{"segmentation": [[1, 2, 3]]}], "annotation 0: a polygon has 3 coordinates, an odd"),
        (
            [{"segmentation": [["x"] * 6]}],
            r"not a valid file of COCO: annotations\.0\.segmentation",
        ),
        (
            [{"segmentation": {"size": [12, 16], "counts": [5]}}],
            "its RLE covers 5 pixels; its size",
        ),
        ([{"segmentation": {"size": [6, 16], "counts": [96]}}], "its RLE is of 6x16 pixels"),
        ([{"segmentation": [[0, 0, 1e7, 0, 5, 5]]}], "far outside of its image"),
    ],
)
def test_invalid_objects_are_named(tmp_path, objects, message):
    with pytest.raises(DataError, match=message):
        found(dataset(tmp_path, objects))


def test_lines_strangers_and_flat_lists(tmp_path, caplog):
    objects = [{"segmentation": SQUARE}, {"segmentation": [[1, 1, 2, 2]]}, CAR | {"image_id": 9},
               {"segmentation": []}]  # fmt: skip
    assert (mask_of(found(dataset(tmp_path, objects)), "a") == 1).sum() == 36
    assert "1 polygon of fewer than 3 points: left out" in caplog.text
    assert "1 annotation of images that it does not list" in caplog.text
    assert "1 object without mask or box: left out" in caplog.text


def test_roboflows_group_is_no_class(tmp_path):
    write_images(tmp_path / "train", "a.png")
    file = coco(["a.png"], [CAR])
    file["categories"] = [{"id": 0, "name": "cars", "supercategory": "none"},
                          {"id": 1, "name": "car", "supercategory": "cars"}]  # fmt: skip
    write(tmp_path / "train" / "_annotations.coco.json", file)
    splits = found(tmp_path)
    assert names_of(splits) == ["background", "car"]
    assert "the category 'cars' (id 0) of train/_annotations.coco.json names the others' group" in (
        splits.description
    )


def test_two_files_with_the_same_images_and_a_choice(tmp_path):
    dataset(tmp_path, [CAR])
    write(tmp_path / "old.json", coco(["a.png"], [CAR], {1: "van"}))
    with pytest.raises(DataError, match=r"coco\.json and old\.json both list images"):
        found(tmp_path)
    assert names_of(found(tmp_path, chosen="old.json")) == ["background", "van"]


def test_a_file_without_a_split_beside_others(tmp_path):
    write_images(tmp_path, "a.png", "b.png")
    write(tmp_path / "train.json", coco(["a.png"], [CAR]))
    write(tmp_path / "more.json", coco(["b.png"], [CAR]))
    with pytest.raises(DataError, match=r"train\.json names a split and more\.json does not"):
        found(tmp_path)


def test_a_split_without_annotations_is_left_out(tmp_path, caplog):
    write_images(tmp_path, "a.png", "b.png")
    write(tmp_path / "train.json", coco(["a.png"], [CAR]))
    write(tmp_path / "test.json", coco(["b.png"], []))
    assert list(found(tmp_path).samples) == ["train"]
    assert "test.json: no annotations, so it is left out" in caplog.text


def test_images_of_one_name_in_two_folders(tmp_path):
    write_images(tmp_path, "x/a.png", "y/a.png")
    write(tmp_path / "coco.json", coco(["x/a.png", "y/a.png"], [CAR]))
    assert {one.name for one in found(tmp_path).samples[""]} == {"x/a", "y/a"}
    write(tmp_path / "coco.json", coco(["a.png"], [CAR]))
    with pytest.raises(DataError, match=r"names the image a\.png, and there are several"):
        found(tmp_path)


def test_any_first_key_a_byte_order_mark_and_names_without_suffix(tmp_path):
    write_images(tmp_path, "a.b.png")
    content = {"version": 3} | coco(["a.b"], [CAR])
    (tmp_path / "coco.json").write_text(json.dumps(content), encoding="utf-8-sig")
    assert [one.name for one in found(tmp_path).samples[""]] == ["a.b"]


def test_large_files_are_told_from_their_beginning_and_end(tmp_path, monkeypatch):
    from segmentation.data.annotations import annotation_files

    monkeypatch.setattr(annotation_files, "HEAD", 100)
    names = [f"{number}.png" for number in range(5)]
    dataset(tmp_path, [CAR, CAR, CAR], images=names)
    assert len(found(tmp_path).samples[""]) == 5


def merged(root, **changes):
    """Write a file of two images with an object of the first, and change some of its keys."""
    write_images(root / "images", "a.png", "b.png")
    content = coco(["a.png", "b.png"], [CAR]) | changes
    write(root / "coco.json", content)
    return root


def test_ids_that_two_rows_have(tmp_path):
    images = [{"id": 1, "file_name": name} for name in ("a.png", "b.png")]
    with pytest.raises(DataError, match=r"the id 1 among its images is that of a\.png and of b"):
        found(merged(tmp_path, images=images))
    categories = [{"id": 1, "name": name} for name in ("car", "road")]
    with pytest.raises(DataError, match="the id 1 among its categories is that of car and of road"):
        found(merged(tmp_path, categories=categories))


@pytest.mark.parametrize("number", [1, 1.0, "1"])
def test_ids_are_compared_as_text(tmp_path, number):
    images = [{"id": "1", "file_name": "a.png"}]
    objects = [CAR | {"image_id": number, "category_id": 1}]
    assert (mask_of(found(merged(tmp_path, images=images, annotations=objects)), "a") == 1).any()


def test_objects_of_no_listed_image(tmp_path):
    objects = [CAR | {"image_id": 7, "category_id": 1}]
    with pytest.raises(DataError, match=r"their image_id \(7, \.\.\.\) is no id among its images"):
        found(merged(tmp_path, annotations=objects))


def test_a_category_without_a_name(tmp_path):
    with pytest.raises(DataError, match="have a class whose name is empty"):
        found(dataset(tmp_path, [CAR], {1: " "}))


@pytest.mark.parametrize(
    "order",
    [("images", "annotations", "categories"), ("categories", "images", "annotations")],
    ids=["official", "Roboflow"],
)
def test_long_lists_of_images_in_either_order_of_the_keys(tmp_path, order):
    write_images(tmp_path, "a.png")
    content = coco(["a.png", *(f"{'x' * 100}{number}.png" for number in range(1000))], [CAR] * 900)
    write(tmp_path / "coco.json", {"info": {}} | {key: content[key] for key in order})
    assert len(json.dumps(content["images"])) > 1 << 17
    assert [one.name for one in found(tmp_path).samples[""]] == ["a"]


def test_an_image_of_another_folder_is_another_image(tmp_path, caplog):
    write_images(tmp_path, "b/1.png", "b/2.png")
    write(tmp_path / "coco.json", coco(["a/1.png", "b/2.png"], [CAR, CAR | {"image_id": 1}]))
    assert [one.image.name for one in found(tmp_path).samples[""]] == ["2.png"]
    assert "1 of 2 images are not there and left out: a/1.png" in caplog.text


def test_folders_of_another_computer_and_other_words_for_a_split(tmp_path):
    write_images(tmp_path, "pictures/1.png", "pictures/2.png")
    write(tmp_path / "coco.json", coco(["/home/x/1.png", "C:\\x\\2.png"], [CAR]))
    assert len(found(tmp_path).samples[""]) == 2
    write_images(tmp_path / "two", "train/1.png", "valid/2.png")
    write(tmp_path / "two/coco.json", coco(["train/1.png", "val/2.png"], [CAR]))
    assert len(found(tmp_path / "two").samples[""]) == 2


def test_images_of_another_split(tmp_path, caplog):
    write_images(tmp_path, "train/1.png", "train/2.png", "val/2.png")
    for split, names in (("train", ["2.png"]), ("val", ["1.png", "2.png"])):
        write(tmp_path / f"{split}.json", coco(names, [CAR]))
    splits = found(tmp_path)
    assert [one.image.parent.name for one in splits.samples["val"]] == ["val"]
    assert "val.json: 1 of 2 images are not there and left out: 1.png" in caplog.text
    (tmp_path / "val/2.png").unlink()
    write(tmp_path / "val.json", coco(["1.png"], [CAR]))
    assert len(found(tmp_path).samples["val"]) == 1
    assert "val.json: images of val lie in folders of train only" in caplog.text


def test_names_that_differ_in_case_alone(tmp_path):
    write_images(tmp_path, "a.png")
    write(tmp_path / "coco.json", coco(["A.PNG"], [CAR]))
    assert len(found(tmp_path).samples[""]) == 1


def test_what_is_no_address_is_a_path(tmp_path):
    write_images(tmp_path, "a.png")
    write(tmp_path / "coco.json", coco(["http://[x/a.png"], [CAR]))
    assert len(found(tmp_path).samples[""]) == 1
