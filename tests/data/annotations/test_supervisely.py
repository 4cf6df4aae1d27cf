"""Supervisely's format as its documentation has it: its library is too large to install here."""

import base64
import io
import shutil
import zlib

import numpy as np
import pytest
from annotated import found, mask_of, names_of, write, write_images
from PIL import Image

from segmentation.errors import DataError

META = {"classes": [{"title": "road", "shape": "bitmap", "color": "#804080"},
                    {"title": "no", "shape": "any", "color": "#00FF00"}]}  # fmt: skip


def bitmap(mask, left, top, title="road"):
    """Pack a mask as Supervisely does: a PNG in zlib in base64."""
    png = io.BytesIO()
    alpha = Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))
    Image.merge("LA", (alpha, alpha)).save(png, "PNG")
    data = base64.b64encode(zlib.compress(png.getvalue())).decode()
    return {"classTitle": title, "geometryType": "bitmap",
            "bitmap": {"data": data, "origin": [left, top]}}  # fmt: skip


def polygon(exterior, interior=(), title="no"):
    points = {"exterior": exterior, "interior": interior}
    return {"classTitle": title, "geometryType": "polygon", "points": points}


def dataset(root, *objects, name="ds0", tags=()):
    write_images(root / name / "img", "a.png")
    write(root / "meta.json", META)
    file = {"description": "", "tags": [{"name": tag, "value": None} for tag in tags],
            "size": {"height": 12, "width": 16}, "objects": list(objects)}  # fmt: skip
    write(root / name / "ann" / "a.png.json", file)
    return root


def test_bitmaps_polygons_and_holes(tmp_path):
    road = np.ones((5, 6), dtype=bool)
    road[0, 0] = False
    hole = [[10, 4], [12, 4], [12, 6], [10, 6]]
    no = polygon([[8, 2], [14, 2], [14, 8], [8, 8]], [hole])
    splits = found(dataset(tmp_path, bitmap(road, 1, 2), no))
    mask = mask_of(splits, "a")
    assert (mask[2:7, 1:7] == road).all()
    assert (mask == 2).sum() == 36 - 4
    assert names_of(splits) == ["background", "road", "no"]
    assert list(splits.samples) == [""]


def test_splits_by_data_sets_or_tags(tmp_path):
    dataset(tmp_path / "p", bitmap(np.ones((2, 2)), 0, 0), name="training")
    dataset(tmp_path / "p", bitmap(np.ones((2, 2)), 0, 0), name="more", tags=["val", "good"])
    assert sorted(found(tmp_path / "p").samples) == ["train", "val"]


def test_objects_without_an_area(tmp_path, caplog):
    rectangle = {"classTitle": "no", "geometryType": "rectangle",
                 "points": {"exterior": [[1, 1], [4, 3]], "interior": []}}  # fmt: skip
    point = {"classTitle": "no", "geometryType": "point",
             "points": {"exterior": [[1, 1]], "interior": []}}  # fmt: skip
    splits = found(dataset(tmp_path, rectangle, point))
    assert (mask_of(splits, "a") == 2).sum() == 6
    assert "1 object without an area (points, lines)" in caplog.text


@pytest.mark.parametrize(
    ("one", "message"),
    [
        ({"classTitle": "no", "bitmap": {"data": "!", "origin": [0, 0]}}, "not base64 of zlib"),
        ({"classTitle": "no", "bitmap": {"origin": [0, 0]}}, r"objects\.0\.bitmap\.data"),
        (bitmap(np.ones((20, 20)), 0, 0), "its bitmap is 20x20, larger than its image of 16x12"),
        (polygon([[1, 1]]), "holds no bitmap or polygon"),
    ],
)
def test_invalid_objects(tmp_path, one, message):
    with pytest.raises(DataError, match=message):
        found(dataset(tmp_path, one))


def test_an_image_of_another_data_set_is_another_image(tmp_path, caplog):
    dataset(tmp_path, polygon([[8, 2], [14, 2], [14, 8], [8, 8]]), name="ds1")
    dataset(tmp_path, polygon([[8, 2], [14, 2], [14, 8], [8, 8]]), name="ds2")
    (tmp_path / "ds1/img/a.png").unlink()
    assert [one.image.parts[-3] for one in found(tmp_path).samples[""]] == ["ds2"]
    assert "1 of 2 images are not there and left out: ds1/ann/a.png" in caplog.text
    shutil.rmtree(tmp_path / "ds2/ann")
    with pytest.raises(DataError, match=r"none of the 1 image that /.* names is in"):
        found(tmp_path)
