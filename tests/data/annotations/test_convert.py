import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from annotated import SQUARE, coco, found, mask_of, names_of, write, write_images
from platformdirs import user_cache_path

from segmentation.data.annotations import convert
from segmentation.data.annotations.convert import describe_unused, find_annotations
from segmentation.errors import ConfigError, DataError

CAR = {"segmentation": [SQUARE]}


@pytest.fixture
def root(tmp_path):
    write_images(tmp_path / "images", "a.png", "b.png")
    write(tmp_path / "coco.json", coco(["a.png", "b.png"], [CAR]))
    return tmp_path


def converted():
    return sorted((user_cache_path("cityseg") / "converted").glob("*/"))


def test_the_masks_are_drawn_once(root, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    first = found(root)
    assert "COCO annotations: 1 JSON file, 1 class, 2 images, 1 region turned into" in caplog.text
    monkeypatch.setattr(convert, "_convert_first", lambda *_: pytest.fail("converted again"))
    second = found(root)
    assert second.samples == first.samples
    assert "turned into masks earlier, in" in second.description
    assert len(converted()) == 1


def test_a_change_of_annotations_or_images_converts_again(root):
    found(root)
    write(root / "coco.json", coco(["a.png", "b.png"], [CAR], {1: "van"}))
    assert names_of(found(root)) == ["background", "van"]
    write_images(root / "images", "a.png", size=(12, 16))
    found(root)
    assert len(converted()) == 3


def test_a_damaged_conversion_is_made_again(root):
    found(root)
    (folder,) = converted()
    (folder / "conversion.json").write_text("{}")
    shutil.rmtree(folder / "masks")
    assert (mask_of(found(root), "a") == 1).sum() == 36


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", None])
def test_a_conversion_with_a_damaged_mask_is_made_again(root, content):
    found(root)
    mask = next((converted()[0] / "masks").rglob("a.png"))
    mask.unlink() if content is None else mask.write_bytes(content)
    assert (mask_of(found(root), "a") == 1).sum() == 36


def test_an_error_leaves_nothing(root):
    write(root / "coco.json", coco(["a.png"], [CAR | {"category_id": 9}]))
    with pytest.raises(DataError):
        found(root)
    assert converted() == []


def test_paths_begin_as_the_root_was_typed(root, monkeypatch):
    monkeypatch.chdir(root.parent)
    first = found(Path(root.name))
    assert first.samples[""][0].image == Path(root.name, "images", "a.png")
    monkeypatch.chdir("/")
    assert found(root).samples[""][0].image == root / "images" / "a.png"
    assert len(converted()) == 1


def test_images_that_cannot_be_used_stop_or_are_left_out(root, caplog):
    (root / "images" / "b.png").write_text("no image")
    with pytest.raises(DataError, match="1 of 2 annotated images cannot be used"):
        found(root)
    assert [one.name for one in found(root, skip=True).samples[""]] == ["a"]
    assert "are left out" in caplog.text


def test_off_and_nothing(root, tmp_path):
    assert find_annotations(root, "off") is None
    assert find_annotations(root, False) is None  # which is how YAML reads off
    (tmp_path / "empty").mkdir()
    assert find_annotations(tmp_path / "empty") is None


def test_a_choice_that_is_not_there_or_holds_none(root):
    with pytest.raises(
        ConfigError, match=r"data\.annotations=gone: there is no such file or folder"
    ):
        found(root, chosen="gone")
    with pytest.raises(
        DataError, match=r"images holds no annotations of a known format \(COCO, CVAT"
    ):
        found(root, chosen="images")


def test_annotations_apart_from_the_images(root, tmp_path_factory):
    apart = tmp_path_factory.mktemp("apart")
    shutil.move(root / "coco.json", apart / "coco.json")
    assert [one.name for one in found(root, chosen=str(apart)).samples[""]] == ["a", "b"]


def test_of_several_formats_one_is_used_and_said(root, caplog):
    write(root / "labels" / "a.txt", "0 0.1 0.1 0.5 0.1 0.5 0.5")
    assert found(root).description.startswith("COCO")
    assert "COCO is used, and not YOLO (labels/a.txt)" in caplog.text
    assert found(root, chosen="labels").description.startswith("YOLO")


def test_a_format_without_masks_gives_way_to_the_next(root, caplog):
    write(root / "coco.json", coco(["a.png"], [{"bbox": [1, 1, 2, 2]}]))
    write(root / "labels" / "a.txt", "0 0.1 0.1 0.5 0.1 0.5 0.5")
    assert found(root).description.startswith("YOLO")
    assert "COCO annotations of boxes alone" in caplog.text


def test_images_outside_of_the_folders_of_splits(tmp_path, caplog):
    write_images(tmp_path, "train/a.png", "val/b.png", "c.png")
    for name in ("train/a", "val/b", "c"):
        write(tmp_path / f"{name}.txt", "0 0.1 0.1 0.5 0.1 0.5 0.5")
    assert sorted(found(tmp_path).samples) == ["train", "val"]
    assert "1 annotated image outside of the folders of splits" in caplog.text


def test_two_images_of_one_name(tmp_path):
    write_images(tmp_path, "a.png", "a.jpg")
    write(tmp_path / "coco.json", coco(["a.png", "a.jpg"], [CAR]))
    with pytest.raises(DataError, match=r"annotates a\.jpg again, after coco\.json with a\.png"):
        found(tmp_path)


def test_what_image_masks_leave_unused(root):
    assert describe_unused(root, "auto").startswith("COCO (coco.json) annotations are not used")
    assert describe_unused(root, "off") == ""
    assert describe_unused(root / "images", "auto") == ""


def test_a_cache_that_cannot_be_written(root, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match="XDG_CACHE_HOME=<folder on another disk>"):
        found(root)


LINE = "0 0.1 0.1 0.5 0.1 0.5 0.5"
SHAPE = '<image name="{}.png" width="16" height="12"><polygon label="car" points="{}"/></image>'
BAD_REGIONS = {
    "COCO": ("coco.json", lambda: coco(
        ["a.png", "b.png"], [CAR, {"segmentation": [[1, 2, 3, 4, 5, 6, 7]], "image_id": 1}])),
    "CVAT": ("cvat.xml", lambda: f"<annotations><meta/>{SHAPE.format('a', '1,1;9,1;9,9')}"
             f"{SHAPE.format('b', '1,1;9')}</annotations>"),
    "Label Studio": ("export.json", lambda: [
        {"data": {"image": f"{name}.png"}, "annotations": [{"result": [
            {"value": {"points": points, "polygonlabels": ["car"]}, "original_width": 16,
             "original_height": 12}]}]}
        for name, points in (("a", [[1, 1], [50, 1], [50, 50]]), ("b", [["x", 1]]))]),
    "YOLO": ("b.txt", lambda: f"{LINE}\n0 0.1 0.1 0.5 0.1 0.5\n"),
    "LabelMe": ("b.json", lambda: {
        "imagePath": "b.png",
        "shapes": [{"label": "car", "points": [[1, 1]], "shape_type": "star"}]}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_REGIONS)
def test_an_invalid_region_is_a_failure_of_its_image(tmp_path, name, caplog):
    write_images(tmp_path, "a.png", "b.png")
    file, content = BAD_REGIONS[name]
    write(tmp_path / file, content())
    if name == "YOLO":
        write(tmp_path / "a.txt", LINE)
    if name == "LabelMe":
        shapes = [{"label": "car", "points": [[1, 1], [9, 1], [9, 9]]}]
        write(tmp_path / "a.json", {"imagePath": "a.png", "shapes": shapes})
    with pytest.raises(DataError, match=r"1 of 2 annotated images cannot be used.*\n.*b\."):
        found(tmp_path)
    splits = found(tmp_path, skip=True)
    assert [one.name for one in splits.samples[""]] == ["a"]
    assert splits.description.startswith(name)
    assert "1 of 2 annotated images cannot be used and are left out" in caplog.text


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), OverflowError("x")])
def test_what_a_format_does_not_expect_is_an_error_of_its_files(root, monkeypatch, error):
    def fail(*_):
        raise error

    broken = replace(convert.FORMATS[0], convert=fail)
    monkeypatch.setattr(convert, "FORMATS", (broken,))
    with pytest.raises(DataError, match=r"the files of COCO in .* \(coco\.json, \.\.\.\) are not"):
        found(root)


@pytest.mark.parametrize(
    ("file", "split"),
    [("my_dev_project.json", ""), ("test run 3/x.json", ""), ("instances_val2017.json", "val"),
     ("test/_annotations.coco.json", "test"), ("train_of_2019.json", "train")],
)  # fmt: skip
def test_the_word_of_a_split_among_others(tmp_path, file, split, caplog):
    write_images(tmp_path, "a.png")
    write(tmp_path / file, coco(["a.png"], [CAR]))
    assert list(found(tmp_path).samples) == [split]
    assert ("is taken for no split: it is the only one" in caplog.text) == (split == "")


def test_conversions_that_no_run_uses_are_removed(root):
    found(root)
    write(root / "coco.json", coco(["a.png"], [CAR]))
    found(root)
    first, second = converted()
    for place in (first, second):
        os.utime(place / "conversion.json", (0, 0))
    kept = found(root).table.parent  # used again
    write(root / "coco.json", coco(["b.png"], [CAR]))
    found(root)
    assert kept in converted()
    assert len(converted()) == 2


def test_a_file_that_cannot_be_read_is_not_the_caches_fault(root, monkeypatch):
    def fail(*_):
        raise PermissionError(13, "Permission denied", str(root / "images"))

    monkeypatch.setattr(convert, "_convert_first", fail)
    with pytest.raises(DataError, match="images cannot be read: Permission denied"):
        found(root)
