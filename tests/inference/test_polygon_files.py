"""Predicted polygons as files: opened by the formats' own libraries, and read back by discovery."""

import json

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.features
import rasterio.warp
import yaml
from annotated import found, mask_of, names_of
from PIL import Image
from pycocotools.coco import COCO

from segmentation.classes import VOID, ClassTable
from segmentation.inference.polygon_files import POLYGON_FORMATS

CLASSES = ClassTable(("road", "tree", "car"), ((128, 64, 128), (0, 128, 0), (64, 0, 128)))


@pytest.fixture
def mask():
    """Return smooth regions of all classes, one with a hole, and a corner of void."""
    noise = np.random.default_rng(1).normal(size=(3, 60, 90)).astype(np.float32)
    mask = np.stack([cv2.GaussianBlur(layer, (0, 0), 5) for layer in noise]).argmax(0)
    mask[20:44, 30:66] = 2
    mask[28:36, 42:54] = 1
    mask[:8, :8] = VOID
    return mask.astype(np.uint8)


def write(kind, root, mask, tolerance, names=("a/one", "two")):
    """Write the polygons of equal images of a folder, and return the files' writer."""
    files = POLYGON_FORMATS[kind](root / "out", CLASSES, tolerance)
    for name in names:
        path = root / "images" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", mask.shape[::-1]).save(path)
        files.add(path, name, mask)
    files.finish()
    return files


def read_back(root, kind):
    """Return what discovery makes of the files, in the labels of `CLASSES`."""
    splits = found(root / "images", chosen=root / "out" / kind)
    own = ["background", *CLASSES.names]
    order = np.array([own.index(name) for name in names_of(splits)])
    return [
        order[mask_of(splits, name)].astype(np.uint8) - np.uint8(1) for name in ("a/one", "two")
    ]


@pytest.mark.parametrize("kind", ["coco", "labelme", "yolo"])
def test_read_back_they_are_the_mask_up_to_the_tolerance(tmp_path, mask, kind):
    write(kind, tmp_path, mask, tolerance=0)
    for read in read_back(tmp_path, kind):
        assert np.array_equal(read, mask)
    write(kind, tmp_path, mask, tolerance=1.5)
    edges = np.pad(mask, 1, constant_values=254)
    near = np.zeros(mask.shape, bool)
    for row, column in np.ndindex(5, 5):  # the tolerance, and half a pixel of the rasteriser
        shifted = np.pad(edges, 1, constant_values=254)[row:, column:]
        near |= shifted[: mask.shape[0], : mask.shape[1]] != mask
    for read in read_back(tmp_path, kind):
        assert (read != mask).any()
        assert np.array_equal(read[~near], mask[~near])


def test_pycocotools_opens_coco_and_finds_equal_areas(tmp_path, mask):
    files = write("coco", tmp_path, mask, tolerance=0)
    coco = COCO(files.folder / "instances.json")
    assert [image["file_name"] for image in coco.loadImgs([1, 2])] == ["a/one.jpg", "two.jpg"]
    assert [one["name"] for one in coco.loadCats([1, 2, 3])] == list(CLASSES.names)
    drawn = np.full(mask.shape, VOID, np.uint8)
    for one in coco.loadAnns(coco.getAnnIds(imgIds=[2])):
        pixels = coco.annToMask(one).astype(bool)
        assert one["area"] == pixels.sum()
        left, top, width, height = map(int, one["bbox"])
        assert pixels[top : top + height, left : left + width].sum() == pixels.sum()
        drawn[pixels] = one["category_id"] - 1
    assert np.array_equal(drawn, mask)


def test_labelme_finds_its_image_beside_the_file(tmp_path, mask):
    files = write("labelme", tmp_path, mask, tolerance=1)
    values = json.loads((files.folder / "a/one.json").read_text())
    # What labelme.LabelFile.load reads
    assert {"version", "imageData", "imagePath", "shapes", "flags"} <= set(values)
    assert (values["imageHeight"], values["imageWidth"]) == mask.shape
    path = files.folder / "a" / values["imagePath"]
    assert path.resolve() == (tmp_path / "images/a/one.jpg").resolve()
    for shape in values["shapes"]:
        assert {"label", "points", "shape_type", "flags", "description", "group_id"} <= set(shape)
        assert len(shape["points"]) >= 3


def test_yolo_names_its_classes_and_keeps_within_the_image(tmp_path, mask):
    files = write("yolo", tmp_path, mask, tolerance=1)
    values = yaml.safe_load((files.folder / "data.yaml").read_text())
    assert values["names"] == dict(enumerate(CLASSES.names))
    for line in (files.folder / "labels/two.txt").read_text().splitlines():
        label, *numbers = line.split()
        assert 0 <= int(label) < 3
        assert len(numbers) >= 6
        assert len(numbers) % 2 == 0
        assert 0 <= min(map(float, numbers)) <= max(map(float, numbers)) <= 1


def test_background_is_where_no_polygon_is(tmp_path, mask):
    classes = ClassTable(("Background", "tree", "car"), CLASSES.colors)
    files = POLYGON_FORMATS["coco"](tmp_path, classes)
    files.add(tmp_path / "a.jpg", "a", mask)
    files.finish()
    values = json.loads((tmp_path / "coco/instances.json").read_text())
    assert {one["category_id"] for one in values["annotations"]} == {2, 3}
    assert [one["name"] for one in values["categories"]] == ["tree", "car"]


def signed_area(ring):
    x, y = np.array(ring).T
    return (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2


def test_geojson_of_a_photo_is_in_pixels(tmp_path, mask):
    files = write("geojson", tmp_path, mask, tolerance=0)
    assert files.in_pixels == 2
    values = json.loads((files.folder / "two.geojson").read_text())
    assert values["coordinates_are"] == "pixels from the top left, y down"
    areas = dict.fromkeys(CLASSES.names, 0.0)
    for feature in values["features"]:
        rings = feature["geometry"]["coordinates"]
        assert all(ring[0] == ring[-1] for ring in rings)
        assert [signed_area(ring) > 0 for ring in rings] == [True] + [False] * (len(rings) - 1)
        areas[feature["properties"]["class"]] += sum(map(signed_area, rings))
    assert list(areas.values()) == [(mask == label).sum() for label in range(3)]


def test_geojson_of_a_geotiff_is_in_degrees(tmp_path, mask):
    transform = rasterio.Affine(10, 0, 600000, 0, -10, 5800000)
    path = tmp_path / "a.tif"
    shape = dict(zip(("height", "width"), mask.shape, strict=True))
    with rasterio.open(
        path, "w", "GTiff", count=1, dtype="uint8", crs="EPSG:32632", transform=transform, **shape
    ) as file:
        file.write(mask, 1)
    files = POLYGON_FORMATS["geojson"](tmp_path, CLASSES, 0)
    files.add(path, "a", mask)
    assert files.in_pixels == 0
    features = json.loads((tmp_path / "geojson/a.geojson").read_text())["features"]
    drawn = rasterio.features.rasterize(
        [
            (rasterio.warp.transform_geom("EPSG:4326", "EPSG:32632", one["geometry"]),
             one["properties"]["label"])
            for one in features
        ],
        mask.shape, fill=VOID, transform=transform,
    )  # fmt: skip
    assert np.array_equal(drawn, mask)
    for feature in features:
        outline, *holes = map(signed_area, feature["geometry"]["coordinates"])
        assert outline > 0 > max(holes, default=-1)


def test_what_somebody_has_edited_is_foreign(tmp_path, mask):
    files = write("labelme", tmp_path, mask, tolerance=1)
    names = ["a/one", "two", "three"]
    assert files.foreign(names) == []
    write("labelme", tmp_path, mask, tolerance=2)  # written anew
    assert files.foreign(names) == []
    path = files.folder / "two.json"
    path.write_text(path.read_text().replace("tree", "bush"))
    (files.folder / "three.json").write_text("mine")
    assert files.foreign(names) == [path, files.folder / "three.json"]
    (files.folder / "written.sha256").unlink()
    assert len(files.foreign(names)) == 3
