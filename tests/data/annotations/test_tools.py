"""Data sets that the tools' own libraries wrote: see fixtures/annotations/make.py."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segmentation.data.annotations.convert import find_annotations
from segmentation.data.masks.labels import read_table
from segmentation.errors import DataError

FIXTURES = Path(__file__).parents[2] / "fixtures" / "annotations"
EXACT = {"coco_datumaro", "label_studio_png", "parquet_datasets"}
"""Masks went into them, and the same come out; others have polygons, whose borders differ."""


def truth_of(name: str) -> np.ndarray:
    number = int(name[-1])
    return np.asarray(Image.open(FIXTURES / "truth" / f"scene{number}.png"))


@pytest.fixture
def copied(tmp_path, request):
    return Path(shutil.copytree(FIXTURES / request.param, tmp_path / request.param))


@pytest.mark.parametrize(
    ("copied", "splits", "words"),
    [
        ("coco_supervision", {"train": 4, "val": 2}, "COCO annotations: 2 JSON files, 2 classes"),
        ("coco_datumaro", {"train": 4, "val": 2}, "COCO annotations: 2 JSON files, 2 classes"),
        ("yolo_supervision", {"train": 4, "val": 2}, "YOLO annotations: data.yaml and 6 label"),
        ("cvat_datumaro", {"train": 4, "val": 2}, "CVAT annotations: 2 XML files, 2 classes"),
        ("labelme_labelme", {"train": 4, "val": 2}, "LabelMe annotations: 6 JSON files, 2 cl"),
        ("label_studio_json", {"": 6}, "Label Studio annotations: 1 JSON file, 2 classes"),
        ("label_studio_png", {"": 6}, "Label Studio annotations: 12 brush PNGs, 2 classes"),
    ],
    indirect=["copied"],
)
def test_masks_are_those_that_went_in(copied, splits, words):
    found = find_annotations(copied)
    assert found is not None
    assert {split: len(rows) for split, rows in found.samples.items()} == splits
    assert found.description.startswith(words)
    names = [entry.name for entry in read_table(found.table)]
    assert sorted(names) == ["background", "no", "road"]
    for rows in found.samples.values():
        for sample in rows:
            values = np.asarray(Image.open(sample.mask))
            own = np.array([["background", "road", "no"].index(name) for name in names])
            truth = truth_of(sample.image.stem)
            wrong = own[values] != truth
            if copied.name in EXACT:
                assert not wrong.any()
            else:  # supervision's polygons go through the centres of the border's pixels
                outline = 50 if "supervision" in copied.name else 12
                assert wrong.sum() <= outline, (own[values], truth)  # the rectangle has 256


@pytest.mark.parametrize("copied", ["parquet_datasets"], indirect=True)
def test_parquet_is_unpacked_with_its_masks(copied):
    found = find_annotations(copied)
    assert found is not None
    assert {split: len(rows) for split, rows in found.samples.items()} == {"train": 4, "val": 2}
    assert found.table is None
    for number, sample in enumerate(found.samples["train"]):
        assert (np.asarray(Image.open(sample.mask)) == truth_of(str(number))).all()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("a.json", '{"_via_settings": {}}', "VGG Image Annotator"),
        ("a.json", '{"image": {}, "annotations": [{"predicted_iou": 1}]}', "Segment Anything"),
        ("a.json", '{"type": "FeatureCollection", "features": []}', "GeoJSON"),
        ("a.json", '[{"name": "a", "labels": [{"poly2d": []}]}]', "Scalabel"),
        ("a_gtFine_polygons.json", '{"imgHeight": 1, "objects": []}', "Cityscapes' polygons"),
        ("a.ndjson", '{"data_row": {}}', "Labelbox NDJSON"),
        ("a.json", '{"openlabel": {}}', "OpenLABEL JSON"),
    ],
)
def test_further_formats_that_are_named(tmp_path, file, text, message):
    (tmp_path / file).write_text(text)
    with pytest.raises(DataError, match=f"{file} is {message}.*, which is not supported: "):
        find_annotations(tmp_path)


@pytest.mark.parametrize(
    ("copied", "message"),
    [
        ("voc_supervision", "scene0.xml is a Pascal VOC file of boxes"),
        ("panoptic_datumaro", "is COCO panoptic JSON, which is not supported"),
        ("datumaro_datumaro", "is Datumaro JSON, which is not supported"),
    ],
    indirect=["copied"],
)
def test_known_formats_that_are_not_supported_are_named(copied, message):
    with pytest.raises(DataError, match=message):
        find_annotations(copied)
