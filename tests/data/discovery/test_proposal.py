import numpy as np
import pytest
from PIL import Image

from segmentation.classes import CAMVID, VOID
from segmentation.data.discovery.labels import Labels
from segmentation.data.discovery.proposal import propose_table
from segmentation.errors import DataError


def masks(folder, *arrays, palette=None):
    paths = []
    for number, array in enumerate(arrays):
        image = Image.fromarray(np.asarray(array, dtype=np.uint8))
        if palette:
            image.putpalette(palette)
        paths.append(folder / f"{number}.png")
        image.save(paths[-1])
    return paths


def test_indices_with_a_void_of_255(tmp_path):
    table, how = propose_table(masks(tmp_path, [[0, 3]], [[3, 255]]))
    assert [(e.name, e.index, e.void) for e in table] == [
        ("class_0", 0, False), ("class_3", 3, False), ("void", 255, True),
    ]  # fmt: skip
    assert len({entry.color for entry in table}) == 3
    assert how == "indices 0, 3, 255"
    found = Labels(table).decode(np.array([[3, 255, 0]], np.uint8), "x")
    np.testing.assert_array_equal(found, [[1, VOID, 0]])


def test_a_palette_gives_the_colours(tmp_path):
    table, _ = propose_table(masks(tmp_path, [[0, 1]], palette=[1, 2, 3, 200, 100, 50]))
    assert [entry.color for entry in table] == [(1, 2, 3), (200, 100, 50)]


@pytest.mark.parametrize(
    "mask", [[[0, 255]], [[[0, 0, 0], [255, 255, 255]]]], ids=["grey", "colour"]
)
def test_binary_masks(tmp_path, mask):
    table, _ = propose_table(masks(tmp_path, mask))
    labels = Labels(table)
    assert labels.classes.names == ("background", "foreground")
    np.testing.assert_array_equal(labels.decode(np.array(mask, np.uint8), "x"), [[0, 1]])


def test_colours_of_a_known_table(tmp_path):
    colors = [[entry.color for entry in CAMVID if entry.name != "Fence"]]
    table, how = propose_table(masks(tmp_path, colors))
    assert table == CAMVID
    assert "data.classes=camvid" in how


def test_other_colours_are_named_after_themselves(tmp_path):
    table, how = propose_table(masks(tmp_path, [[[9, 0, 255], [0, 0, 0], [1, 1, 1]]]))
    assert [entry.name for entry in table] == ["class_000000", "class_010101", "class_0900ff"]
    assert how == "3 colours"


@pytest.mark.parametrize("mask", [np.arange(100)[None], np.arange(300).reshape(1, 100, 3)])
def test_pictures_are_no_masks(tmp_path, mask):
    with pytest.raises(DataError, match="more than 64 values"):
        propose_table(masks(tmp_path, mask % 251))


def test_unreadable_masks_are_passed_over_unless_all_are(tmp_path):
    good, bad = masks(tmp_path, [[0, 1]], [[0, 1]])
    bad.write_bytes(b"")
    assert len(propose_table([bad, good])[0]) == 2
    with pytest.raises(DataError, match=r"1\.png cannot be read"):
        propose_table([bad])


def test_masks_of_two_kinds(tmp_path):
    with pytest.raises(DataError, match=r"some masks hold indices .*1\.png"):
        propose_table(masks(tmp_path, [[0, 1]], [[[0, 0, 0], [1, 1, 1]]]))
