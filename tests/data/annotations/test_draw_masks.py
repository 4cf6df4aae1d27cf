import numpy as np
import pytest
from PIL import Image

from segmentation.classes import VOID
from segmentation.data.annotations.draw_masks import class_indices, decode_png, draw_mask
from segmentation.data.annotations.regions import AnnotatedImage, Annotations, Region, to_color
from segmentation.data.annotations.shapes import box
from segmentation.errors import DataError

INDICES = {"road": 1, "car": 2}
BIG, SMALL = box(0, 0, 8, 8), box(2, 2, 6, 6)


@pytest.fixture
def image(tmp_path):
    Image.new("RGB", (10, 8)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def draw(image, *regions, smaller=True, size=(8, 10)):
    return draw_mask(AnnotatedImage(image, regions, size, "", image), INDICES, smaller)


def annotations(classes):
    return Annotations("COCO", "1 JSON file", classes, [], True)


def test_the_smaller_or_the_later_is_on_top(image):
    small_first = Region("car", SMALL), Region("road", BIG)
    assert draw(image, *small_first).values[4, 4] == 2
    assert draw(image, *small_first, smaller=False).values[4, 4] == 1
    assert draw(image, *reversed(small_first), smaller=False).values[4, 4] == 2
    drawn = draw(image, *small_first)
    assert (drawn.values[:, 8:] == 0).all()
    assert (drawn.regions, drawn.invisible, drawn.overlapping) == (2, 0, 16)


def test_layers_come_before_size(image):
    drawn = draw(image, Region("car", SMALL, layer=-1), Region("road", BIG))
    assert drawn.values[4, 4] == 1


def test_regions_without_a_label_are_void(image):
    drawn = draw(image, Region(None, SMALL))
    assert (drawn.values[2:6, 2:6] == VOID).all()
    assert (drawn.values == VOID).sum() == 16


def test_regions_without_a_pixel_are_counted(image):
    assert draw(image, Region("car", box(11, 2, 13, 4))).invisible == 1


def test_another_size_than_the_images_is_an_error(image):
    with pytest.raises(DataError, match=r"a\.png as 20x16 pixels, the file has 10x8"):
        draw(image, size=(16, 20))


def test_a_region_that_cannot_be_drawn_is_named(image):
    with pytest.raises(DataError, match=r"region 0 \(car\) of a\.png: a polygon has the point"):
        draw(image, Region("car", box(0, 0, 1e6, 8)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("upright", [True, False])
def test_masks_are_upright_however_they_were_annotated(tmp_path, orientation, upright):
    stored = np.zeros((8, 10, 3), dtype=np.uint8)
    stored[1:3, 2:7] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(stored).save(path, exif=exif)
    from segmentation.data.files import read_image

    shown = read_image(path)
    rows, columns = np.nonzero((shown if upright else stored)[..., 0])
    region = Region("car", box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    size = (shown if upright else stored).shape[:2]
    if upright is False and size == shown.shape[:2] and orientation != 1:
        return  # the size does not tell: read_pair refuses such a pair
    values = draw(path, region, size=size).values
    assert ((values == 2) == (shown[..., 0] > 0)).all()


def test_the_background_is_0_and_the_others_follow():
    indices, table = class_indices(annotations({"road": None, "car": (1, 2, 3)}))
    assert indices == {"road": 1, "car": 2}
    assert [(entry.name, entry.index) for entry in table] == [
        ("background", 0), ("road", 1), ("car", 2),
    ]  # fmt: skip
    assert table[2].color == (1, 2, 3)
    indices, table = class_indices(annotations({"road": None, "_background_": None}))
    assert indices == {"_background_": 0, "road": 1}
    assert [entry.name for entry in table] == ["_background_", "road"]


def test_classes_called_void_are_void():
    indices, table = class_indices(annotations({"Ignore": None, "car": None, "void": None}))
    assert indices == {"car": 1, "Ignore": VOID, "void": VOID}
    assert [(entry.name, entry.index, entry.void) for entry in table] == [
        ("background", 0, False), ("car", 1, False), ("Ignore", 255, True),
    ]  # fmt: skip


def test_classes_of_one_colour_get_others():
    _, table = class_indices(annotations(dict.fromkeys("abc", (9, 9, 9))))
    assert len({entry.color for entry in table}) == 4


def test_too_many_classes():
    class_indices(annotations(dict.fromkeys(map(str, range(253)))))
    with pytest.raises(DataError, match=r"have 254 classes; index masks have room for 253"):
        class_indices(annotations(dict.fromkeys(map(str, range(254)))))


def test_bitmaps_larger_than_their_image_or_damaged(tmp_path):
    path = tmp_path / "big.png"
    Image.new("L", (9, 9)).save(path)
    with pytest.raises(ValueError, match="its bitmap is 9x9, larger than its image of 8x8"):
        decode_png(path.read_bytes(), (8, 8))
    with pytest.raises(ValueError, match="cannot be read"):
        decode_png(b"no png", (8, 8))
    Image.new("RGBA", (3, 3), (0, 0, 0, 255)).save(path)
    assert (decode_png(path.read_bytes(), (8, 8)) == 255).all()


def test_colors():
    assert to_color("#ff8000") == (255, 128, 0)
    assert to_color("red") is None
    assert to_color("#zzzzzz") is None
