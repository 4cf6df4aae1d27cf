import numpy as np
import pytest
from annotated import found, mask_of, names_of, write, write_images

from segmentation.errors import DataError

CORNERS = [[2, 2], [8, 2], [8, 8], [2, 8]]


def labelme(*shapes, path="a.png"):
    return {
        "version": "5.4", "flags": {}, "imagePath": path, "imageData": None, "imageHeight": 12,
        "imageWidth": 16,
        "shapes": [{"label": "car", "points": CORNERS, "shape_type": "polygon", **one}
                   for one in shapes],
    }  # fmt: skip


def dataset(root, *shapes, path="a.png"):
    write_images(root, "a.png")
    write(root / "a.json", labelme(*shapes, path=path))
    return root


def test_polygons_boxes_and_circles_the_later_on_top(tmp_path):
    shapes = [
        {},
        {"label": "no", "shape_type": "rectangle", "points": [[14, 10], [6, 6]]},
        {"label": "disc", "shape_type": "circle", "points": [[12, 3], [12, 5]]},
    ]
    splits = found(dataset(tmp_path, *shapes))
    assert names_of(splits) == ["background", "car", "disc", "no"]
    mask = mask_of(splits, "a")
    assert (mask[6:10, 6:14] == 3).all()
    assert (mask == 1).sum() == 36 - 4
    assert 10 <= (mask == 2).sum() <= 14
    assert "the later is on top" in splits.description


def test_ignored_and_background_are_labelmes_own(tmp_path):
    shapes = [
        {"label": "_background_"},
        {"label": "__ignore__", "points": [[0, 0], [16, 0], [0, 1]]},
    ]
    splits = found(dataset(tmp_path, *shapes, {"points": (np.array(CORNERS) + 4).tolist()}))
    assert names_of(splits) == ["_background_", "car", "void"]
    assert (mask_of(splits, "a") == 255).any()


def test_labels_txt_gives_the_order(tmp_path, caplog):
    dataset(tmp_path, {}, {"label": "bus"}, {"label": "van"})
    write(tmp_path / "labels.txt", "__ignore__\n_background_\nvan\ncar\n")
    assert names_of(found(tmp_path)) == ["_background_", "van", "car", "bus"]
    assert "labels.txt does not list bus: added" in caplog.text


def test_points_and_lines_have_no_area(tmp_path, caplog):
    shapes = [{}, {"shape_type": "line", "points": [[1, 1], [2, 2]]}, {"points": [[1, 1], [2, 2]]}]
    found(dataset(tmp_path, *shapes))
    assert "2 points and lines have no area: not in any mask" in caplog.text


def test_paths_of_windows_other_folders_and_images_without_a_file(tmp_path, caplog):
    write_images(tmp_path / "images", "a.png", "b.png")
    write(tmp_path / "json" / "a.json", labelme({}, path="..\\images\\a.png"))
    assert [one.name for one in found(tmp_path).samples[""]] == ["a"]
    assert "1 image without a LabelMe file: left out" in caplog.text


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"shape_type": "cube"}, r"shape 0 \(car\): the shape 'cube' with 4 points is not known"),
        ({"points": [[1, "x"]]}, r"a\.json is not a valid file of LabelMe: shapes\.0\.points"),
        ({"shape_type": "mask", "mask": "!"}, r"region 0 \(car\) of a\.png"),
        ({"shape_type": "point", "points": [[1, 1]]}, "hold no polygon, box or mask"),
    ],
)
def test_invalid_shapes(tmp_path, shape, message):
    with pytest.raises(DataError, match=message):
        found(dataset(tmp_path, shape))


def test_an_image_of_another_folder_is_another_image(tmp_path, caplog):
    write_images(tmp_path, "seqA/2.png", "seqB/1.png")
    for name in ("1", "2"):
        write(tmp_path / f"seqA/{name}.json", labelme({}, path=f"{name}.png"))
    assert [one.image.name for one in found(tmp_path).samples[""]] == ["2.png"]
    assert "1 of 2 images are not there and left out: 1.png" in caplog.text


def test_files_apart_from_their_images(tmp_path, caplog):
    for images, said in (("images", False), ("seqB", True)):
        root = tmp_path / images
        write_images(root, f"{images}/1.png")
        write(root / "json/1.json", labelme({}, path="1.png"))
        assert len(found(root).samples[""]) == 1
        assert ("no image lies beside the LabelMe files in json: those" in caplog.text) == said
    write_images(tmp_path / "up", "photos/1.png")
    write(tmp_path / "up/json/1.json", labelme({}, path="..\\photos\\1.png"))
    caplog.clear()
    assert len(found(tmp_path / "up").samples[""]) == 1
    assert "no image lies" not in caplog.text
