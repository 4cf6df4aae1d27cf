import pytest
from annotated import found, mask_of, names_of, write, write_images

from segmentation.errors import DataError

SQUARE = "0.125 0.25 0.5 0.25 0.5 0.75 0.125 0.75"  # 6x6 pixels of an image of 12x16


def roboflow(root, line=f"0 {SQUARE}\n", config="names: ['no', 007]\nnc: 2\n"):
    for split in ("train", "valid"):
        write_images(root / split / "images", "a.jpg")
        write(root / split / "labels" / "a.txt", line)
    write(root / "data.yaml", f"train: ../train/images\nval: ../valid/images\n{config}")
    return root


def test_names_come_out_as_they_were_written(tmp_path):
    splits = found(roboflow(tmp_path))
    assert list(splits.samples) == ["train", "val"]
    assert names_of(splits) == ["background", "no", "007"]
    assert (mask_of(splits_of(splits, "val"), "a") == 1).sum() == 36


def splits_of(splits, split):
    """Return one split alone."""
    from dataclasses import replace

    return replace(splits, samples={split: splits.samples[split]})


def test_names_by_number(tmp_path):
    splits = found(roboflow(tmp_path, config="names:\n  0: yes\n  2: null\n"))
    assert names_of(splits) == ["background", "yes", "class_1", "null"]


def test_ultralytics_folders_lists_and_images_without_labels(tmp_path, caplog):
    write_images(tmp_path / "images/train", "a.png", "b.png")
    write_images(tmp_path / "images/val", "c.png")
    write(tmp_path / "labels/train/a.txt", f"0 {SQUARE}")
    write(tmp_path / "labels/val/c.txt", "")
    write(tmp_path / "val.txt", "/content/set/images/val/c.png\n/content/set/images/val/gone.png\n")
    write(
        tmp_path / "set.yaml", "path: /content/set\ntrain: images/train\nval: val.txt\nnames: [x]"
    )
    splits = found(tmp_path)
    assert {split: [one.name for one in rows] for split, rows in splits.samples.items()} == {
        "train": ["a", "b"], "val": ["c"],
    }  # fmt: skip
    assert "1 image without a label file: all background, as in YOLO" in caplog.text
    assert "val.txt: 1 of 2 images are not there and left out" in caplog.text
    assert "2 images without any region" in splits.description


def test_train_and_val_of_the_same_images(tmp_path, caplog):
    write_images(tmp_path / "images", "a.png", "b.png")
    write(tmp_path / "labels/a.txt", f"0 {SQUARE}")
    write(tmp_path / "data.yaml", "train: images\nval: images\nnames: [x]")
    assert list(found(tmp_path).samples) == ["train"]
    assert "has 2 images in two splits: they stay in the first" in caplog.text


def test_labels_without_data_yaml(tmp_path, caplog):
    write_images(tmp_path, "a.png")
    write(tmp_path / "a.txt", f"1 {SQUARE}")
    assert names_of(found(tmp_path)) == ["background", "class_0", "class_1"]
    assert "Put the names, one a line, into classes.txt" in caplog.text
    write(tmp_path / "classes.txt", "sky\nno\n")
    assert names_of(found(tmp_path)) == ["background", "sky", "no"]


@pytest.mark.parametrize("place", ["Labels/train", "txt", "annotations/yolo"])
def test_labels_in_folders_of_other_names(tmp_path, place):
    write_images(tmp_path / "Images" / "train", "a.png")
    write(tmp_path / place / "a.txt", f"0 {SQUARE}")
    assert (mask_of(found(tmp_path), "a") == 1).sum() == 36


def test_labels_that_are_all_empty(tmp_path):
    root = roboflow(tmp_path, "")
    write(root / "more.txt", f"0 {SQUARE}")
    write_images(root, "more.png")
    with pytest.raises(DataError, match="the YOLO labels hold no object"):
        found(root)


def test_a_box_beside_polygons_is_void(tmp_path, caplog):
    splits = found(roboflow(tmp_path, f"0 {SQUARE}\n1 0.75 0.5 0.25 0.5\n"))
    mask = mask_of(splits_of(splits, "train"), "a")
    assert (mask == 255).sum() == 4 * 6
    assert "2 objects with a box and no polygon" in caplog.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 0.5 0.5 0.2 0.2", r"YOLO labels of boxes alone \(2 boxes\)"),
        (f"2 {SQUARE}", r"a\.txt, line 1: the class 2 has no name: there are 2 names"),
        (f"0 {SQUARE} 0.4", "line 1: 9 coordinates; a polygon has pairs"),
        ("0 10 20 30 20 30 40", "coordinates are shares of the image's width and height"),
        (f"0 {SQUARE}\n0 a b c d e f", "line 2: expected a class and coordinates"),
    ],
)
def test_invalid_lines_are_named(tmp_path, line, message):
    with pytest.raises(DataError, match=message):
        found(roboflow(tmp_path, line))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("names: {a: b}", "names are numbered from 0"),
        ("names: {\u00b2: b}", "names are numbered from 0"),
        ("names: [a]\npath: [[a]]", "path is neither a path nor a list of paths"),
        ("names: [a, a]", "several classes are named 'a'"),
        ("names: 3", "names is not a list of names"),
        ("names: [[a], b]", "names is not a list of names"),
        ("names: {99999: x}", "the class number 99999 is too high"),
        ("names: [x]\nkpt_shape: [17, 3]", "a data set of key points"),
    ],
)
def test_invalid_names(tmp_path, config, message):
    with pytest.raises(DataError, match=message):
        found(roboflow(tmp_path, config=config))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("names: &a [x]\nothers: [*a, *a]", "an alias .* in line 4"),
        (f"names: {'[' * 5000}", "more than 64 levels in line 3"),
        ("names: [x", "line"),
    ],
)
def test_a_data_yaml_that_is_invalid(tmp_path, config, reason):
    with pytest.raises(DataError, match=rf"data\.yaml is invalid: .*{reason}.* the classes\."):
        found(roboflow(tmp_path, config=config))


def test_other_yaml_files_may_hold_anything(tmp_path):
    write(roboflow(tmp_path) / "chart.yaml", "{{ .Values.name }}: [\n")
    assert names_of(found(tmp_path)) == ["background", "no", "007"]


@pytest.mark.parametrize("entry", ["{images: train/images}", "[{a: b}]", "[[train/images]]"])
def test_splits_that_are_no_path(tmp_path, entry):
    root = roboflow(tmp_path)
    write(root / "data.yaml", f"names: [a]\ntrain: {entry}\n")
    with pytest.raises(DataError, match="train is neither a path nor a list of paths"):
        found(root)


def test_no_names_at_all(tmp_path):
    with pytest.raises(DataError, match="the class 0 has no name: there are 0 names"):
        found(roboflow(tmp_path, config="names: {}"))


def test_splits_named_the_other_way_round_than_their_folders(tmp_path, caplog):
    for split in ("train", "val"):
        write_images(tmp_path / "images" / split, "a.png")
        write(tmp_path / "labels" / split / "a.txt", f"0 {SQUARE}")
    write(tmp_path / "data.yaml", "names: [x]\ntrain: /x/train/images\nval: /x/val/images\n")
    assert {split: len(rows) for split, rows in found(tmp_path).samples.items()} == {
        "train": 1,
        "val": 1,
    }
    assert "without an image here: train: /x/train/images, val: /x" in caplog.text
    write(tmp_path / "data.yaml", "names: [x]\ntrain: /train/x/images/train\nval: gone/val\n")
    assert list(found(tmp_path).samples) == ["train"]
    assert "without an image here: val: gone/val." in caplog.text


def test_labels_whose_images_are_not_there(tmp_path, caplog):
    root = roboflow(tmp_path)
    write(root / "train/labels/gone.txt", f"0 {SQUARE}")
    write(root / "README.txt", "1 2 3")
    found(root)
    assert "1 label file of no image: train/labels/gone.txt" in caplog.text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sky\nno\n\n", ["sky", "no"]),
        ("1 no\n0 sky\n", ["sky", "no"]),
        ("2: no", ["class_0", "class_1", "no"]),
    ],
)
def test_lists_of_names(tmp_path, text, names):
    write_images(tmp_path, "a.png")
    write(tmp_path / "a.txt", f"1 {SQUARE}")
    write(tmp_path / "classes.txt", text)
    assert names_of(found(tmp_path)) == ["background", *names]


def test_an_empty_line_among_the_names(tmp_path):
    write_images(tmp_path, "a.png")
    write(tmp_path / "a.txt", f"1 {SQUARE}")
    write(tmp_path / "classes.txt", "sky\n\nno\n")
    with pytest.raises(DataError, match=r"classes\.txt: line 2 is empty\. Expected one name on"):
        found(tmp_path)


def test_several_data_yaml(tmp_path):
    roboflow(tmp_path / "one")
    roboflow(tmp_path / "two")
    with pytest.raises(DataError, match="several data sets for YOLO"):
        found(tmp_path)
    for chosen in ("one", "one/data.yaml"):
        splits = found(tmp_path, chosen=chosen)
        assert {one.image.parts[-4] for one in splits.samples["train"]} == {"one"}
