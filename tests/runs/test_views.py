"""Small pictures of scored images."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from segmentation.classes import VOID, ClassTable
from segmentation.runs.views import (
    VIEWS,
    LONGEST_SIDE,
    MOST_BYTES,
    View,
    encode_labels,
    encode_photo,
    labels_of,
    read_views,
    recoloured,
    small,
    view_names,
    write_views,
)

CLASSES = ClassTable(("a", "b"), ((10, 20, 30), (200, 100, 0)))
LABELS = np.array([[0, 1, VOID], [1, 1, 0]], np.uint8)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((360, 480), (360, 480)),
        ((1024, 2048), (240, LONGEST_SIDE)),
        ((5000, 10), (LONGEST_SIDE, 1)),
    ],
)
def test_no_side_is_longer_than_a_page_needs(size, expected):
    assert small(size) == expected


def test_labels_keep_their_values_and_show_their_colours():
    for png in (encode_labels(LABELS, CLASSES), recoloured(encode_labels(LABELS), CLASSES)):
        np.testing.assert_array_equal(labels_of(png), LABELS)
        with Image.open(io.BytesIO(png)) as picture:
            colours = np.asarray(picture.convert("RGB"))
        np.testing.assert_array_equal(colours, CLASSES.palette()[LABELS])


def test_labels_are_never_mixed_where_they_shrink():
    labels = np.kron(LABELS, np.ones((400, 400), np.uint8))
    found = labels_of(encode_labels(labels, CLASSES))
    assert found.shape == small(labels.shape)
    assert set(np.unique(found)) == {0, 1, VOID}


def test_an_archive_gives_back_what_was_written(tmp_path):
    photo = encode_photo(np.zeros((20, 30, 3), np.uint8), (2, 3))
    with Image.open(io.BytesIO(photo)) as picture:
        assert picture.size == (3, 2)
    view = View(photo, encode_labels(LABELS, CLASSES), encode_labels(LABELS, CLASSES))
    write_views(tmp_path, [("ä/../b", view), ("c", view)])
    assert read_views(tmp_path, ["c", "ä/../b", "other"]) == {"c": view, "ä/../b": view}
    assert [path.name for path in tmp_path.iterdir()] == [VIEWS]


def test_what_is_no_archive_of_ours_is_no_view(tmp_path):
    assert read_views(tmp_path, ["a"]) == {}
    (tmp_path / VIEWS).write_bytes(b"PK\x03\x04 broken")
    assert read_views(tmp_path, ["a"]) == {}
    with zipfile.ZipFile(tmp_path / VIEWS, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("image/a.jpg", "truth/a.png", "prediction/a.png"):
            archive.writestr(part, bytes(MOST_BYTES + 1))
    assert read_views(tmp_path, ["a"]) == {}


def test_files_that_are_no_view_leave_their_image_out(tmp_path):
    photo = encode_photo(np.zeros((2, 3, 3), np.uint8), (2, 3))
    labels = encode_labels(LABELS, CLASSES)
    other = encode_labels(np.zeros((5, 5), np.uint8), CLASSES)
    odd = {
        "text": View(photo, b"no picture", labels),
        "sizes": View(photo, labels, other),
        "grey": View(photo, encode_labels(LABELS), labels),
        "cut": View(photo, labels, labels[: len(labels) // 2]),
        "swapped": View(labels, photo, labels),
    }
    write_views(tmp_path, [*odd.items(), ("good", View(photo, labels, labels))])
    assert list(read_views(tmp_path, [*odd, "good"])) == ["good"]
    assert view_names(tmp_path) == {*odd, "good"}
    assert view_names(tmp_path / "absent") == set()


def test_half_an_archive_is_never_seen(tmp_path):
    def breaks():
        yield "a", View(b"1", b"2", b"3")
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write_views(tmp_path, breaks())
    assert not list(tmp_path.iterdir())
