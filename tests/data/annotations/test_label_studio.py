import json
import shutil

import pytest
from annotated import found, mask_of, names_of, write, write_images
from PIL import Image

from segmentation.errors import DataError

SIDES = {"original_width": 16, "original_height": 12}
POLYGON = {"points": [[12.5, 25], [50, 25], [50, 75], [12.5, 75]], "polygonlabels": ["car"]}


def task(*values, number=1, image="/data/upload/3/0a1b2c3d-a.png", **options):
    results = [{"type": "x", "value": value, **SIDES} for value in values]
    return {"id": number, "data": {"image": image}, "annotations": [{"result": results, **options}]}


def dataset(root, *tasks):
    write_images(root / "images", "a.png", "b.png")
    write(root / "project-1-at-2026.json", list(tasks))
    return root


def test_percent_of_the_sides_the_later_on_top(tmp_path):
    box = {"x": 25, "y": 50, "width": 50, "height": 25, "rotation": 0, "rectanglelabels": ["no"]}
    disc = {"x": 87.5, "y": 25, "radiusX": 12.5, "radiusY": 16.7, "ellipselabels": ["disc"]}
    splits = found(dataset(tmp_path, task(POLYGON, box, disc, {"choices": ["good"]})))
    assert names_of(splits) == ["background", "car", "disc", "no"]
    mask = mask_of(splits, "a")
    assert (mask[6:9, 4:12] == 3).all()
    assert (mask == 1).sum() == 36 - 4 * 3 + 4 * 0
    assert 8 <= (mask == 2).sum() <= 16


def test_turned_rectangles(tmp_path):
    box = {"x": 50, "y": 0, "width": 50, "height": 25, "rotation": 90, "rectanglelabels": ["no"]}
    mask = mask_of(found(dataset(tmp_path, task(box))), "a")
    assert (mask[:8, 5:8] == 1).sum() == (mask == 1).sum() == 24


def test_one_annotation_of_a_task_counts(tmp_path, caplog):
    several = task(POLYGON)
    several["annotations"] = [
        {"result": [{"value": {**POLYGON, "polygonlabels": [name]}, **SIDES}],
         "was_cancelled": name == "cancelled", "ground_truth": name == "truth"}
        for name in ("truth", "other", "cancelled")
    ]  # fmt: skip
    open_task = {"id": 2, "data": {"image": "b.png"}, "annotations": []}
    assert names_of(found(dataset(tmp_path, several, open_task))) == ["background", "truth"]
    assert "1 task with several annotations: the one marked as ground truth" in caplog.text
    assert "1 task not annotated: left out" in caplog.text


def test_json_min(tmp_path):
    write_images(tmp_path, "a b.png")
    rows = [{"id": 1, "image": "/data/local-files/?d=set%2Fa%20b.png",
             "label": [{**POLYGON, **SIDES}], "annotator": 1}]  # fmt: skip
    write(tmp_path / "min.json", rows)
    assert (mask_of(found(tmp_path), "a b") == 1).sum() == 36


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({**POLYGON, "points": [["x", 1]]}, "the task of /data/upload/3/0a1b2c3d-a.png: could not"),
        ({"x": 1, "width": 1, "height": 1, "labels": ["a"]}, "a region has no 'y'"),
        ({**POLYGON, "polygonlabels": "car"}, "the labels of a region are 'car', not a list"),
        ({"rle": [2**70], "brushlabels": ["car"]}, "its RLE holds a number that is too large"),
        ({"rle": [1, 2], "format": "rle", "brushlabels": ["car"]}, "its RLE is cut off"),
        ({"x": 1, "brushlabels": ["car"]}, "no brush, polygon, rectangle or ellipse"),
    ],
)
def test_invalid_results(tmp_path, value, message):
    with pytest.raises(DataError, match=message):
        found(dataset(tmp_path, task(value)))


def brushes(root, *names, images=("scene_7.png",)):
    write_images(root / "images", *images)
    for name in names:
        (root / "brush").mkdir(exist_ok=True)
        mask = Image.new("L", (16, 12))
        mask.paste(255, (0, 0, 8, 12) if "road" in name else (2, 2, 4, 4))
        mask.save(root / "brush" / f"{name}.png")
    return root


def test_brushes_of_a_task_are_one_mask(tmp_path, caplog):
    names = ("task-7-annotation-1-by-a@b.org-tag-no-way-0", "task-7-annotation-1-by-1-tag-road-0")
    splits = found(brushes(tmp_path, *names, images=("scene_7.png", "scene_8.png")))
    assert names_of(splits) == ["background", "no-way", "road"]
    mask = mask_of(splits, "scene_7")
    assert ((mask == 1).sum(), (mask == 2).sum()) == (4, 96 - 4)
    assert "guessed, as the one whose name ends in its number" in caplog.text
    assert "1 image without a brush: left out" in caplog.text


def test_the_last_annotation_of_a_task_is_used(tmp_path, caplog):
    names = ("task-7-annotation-9-by-1-tag-road-0", "task-7-annotation-10-by-1-tag-no-0")
    assert names_of(found(brushes(tmp_path, *names))) == ["background", "no"]
    assert "1 task with several annotations: the last is used" in caplog.text


def test_brushes_whose_images_cannot_be_told(tmp_path):
    with pytest.raises(DataError, match="whose names tell the task and not the image"):
        found(brushes(tmp_path, "task-7-annotation-1-by-1-tag-road-0", images=("a.png",)))


def test_numbers_of_tasks_are_not_those_of_images_that_were_sorted_as_text(tmp_path):
    names = [f"task-{number}-annotation-1-by-1-tag-road-0" for number in (1, 2, 10)]
    images = ("img1.png", "img2.png", "img10.png")  # uploaded as img1, img10, img2
    with pytest.raises(DataError, match="whose names tell the task and not the image"):
        found(brushes(tmp_path, *names, images=images))


def test_tasks_named_in_images(tmp_path, caplog):
    names = [f"task-{number}-annotation-1-by-1-tag-road-0" for number in (2, 10)]
    found(brushes(tmp_path, *names, images=("task-10.png", "task-2.png")))
    assert "guessed" not in caplog.text


def test_several_labels_and_turned_images(tmp_path, caplog):
    found(dataset(tmp_path, task({**POLYGON, "polygonlabels": ["car", "wet"]})))
    assert "1 region with several labels: the first one counts" in caplog.text
    turned = task(POLYGON)
    turned["annotations"][0]["result"][0]["image_rotation"] = 90
    with pytest.raises(DataError, match="annotated turned by 90 degrees"):
        found(dataset(tmp_path, turned))


def test_an_export_beside_the_brushes_tells_the_images(tmp_path):
    brushes(tmp_path, "task-7-annotation-1-by-1-tag-road-0", images=("a.png",))
    write(tmp_path / "export.json", json.dumps([task(POLYGON, number=7)]))
    assert names_of(found(tmp_path)) == ["background", "car"]
    shutil.rmtree(tmp_path / "brush")
    assert names_of(found(tmp_path)) == ["background", "car"]
