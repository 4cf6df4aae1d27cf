import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from segmentation.data.annotations.rle import encode, from_brush, from_counts, from_rows

MASKS = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda size: arrays(bool, size))


@given(MASKS)
def test_cocos_text_is_decoded_as_pycocotools_does(mask):
    own = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert (from_counts(own["counts"], *mask.shape).decode() == mask).all()
    assert (from_counts(own["counts"].decode(), *mask.shape).decode() == mask).all()


@given(MASKS)
def test_lists_of_lengths_come_back(mask):
    encoded = encode(mask)
    assert encoded.area == mask.sum()
    assert (from_counts(encoded.counts.tolist(), *mask.shape).decode() == mask).all()


def test_long_runs_of_cocos_text():
    mask = np.zeros((3000, 2000), dtype=np.uint8, order="F")
    mask[10:2500, 5:1999] = 1
    text = coco_mask.encode(mask)["counts"]
    assert (from_counts(text, 3000, 2000).decode() == mask.astype(bool)).all()


@given(MASKS)
def test_cvats_lengths_go_along_the_rows(mask):
    counts = encode(mask.T).counts.tolist()
    placed = from_rows(counts, *mask.shape, top=3, left=4)
    assert (placed.decode() == mask).all()
    assert (placed.top, placed.left) == (3, 4)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([5, 4], "covers 9 pixels; its size, 2x5, has 10"),
        ([-1, 11], "a run longer than the mask, or a negative one"),
        ([2**62, 2**62], "a run longer than the mask"),
        ("\x7f", "not COCO's text"),
        ("o", "not COCO's text"),  # its last character asks for more
        ("oooooooooo0", "a number that is too long"),
        ("", "covers 0 pixels"),
    ],
)
def test_invalid_lengths_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        from_counts(counts, 2, 5)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_mask_or_refused(data):
    for read in (
        lambda: from_counts(data, 4, 5),
        lambda: from_brush(list(data), 4, 5),
    ):
        with contextlib.suppress(ValueError):
            assert read().decode().shape == (4, 5)


def brush(values, sizes=(3, 4, 8, 16)):
    """Encode bytes as Label Studio does, in single values and runs."""
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    at = 0
    while at < len(values):
        run = 1
        while at + run < len(values) and run < 256 and values[at + run] == values[at]:
            run += 1
        if run == 1:
            bits += f"000000{values[at]:08b}"
        else:
            bits += f"110{run - 1:08b}{values[at]:08b}"
        at += run
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


@given(MASKS)
def test_a_brush_is_the_alpha_of_a_picture(mask):
    picture = np.repeat(np.where(mask, 255, 0).astype(np.uint8)[..., None], 4, axis=2)
    assert (from_brush(brush(picture.ravel().tolist()), *mask.shape).decode() == mask).all()


def test_a_brush_of_another_size_is_refused():
    with pytest.raises(ValueError, match="its RLE holds 4 values; an RGBA picture of 3x3 has 36"):
        from_brush(brush([255] * 4), 3, 3)
    with pytest.raises(ValueError, match="cut off"):
        from_brush(brush([255] * 36)[:8], 3, 3)
    with pytest.raises(ValueError, match="not a list of bytes"):
        from_brush([300], 3, 3)


def test_runs_of_single_values_and_any_width():
    picture = np.arange(48, dtype=np.uint8) * 5
    bits = f"{48:032b}{9:05b}" + f"{5:04b}" * 4 + f"000{47:06b}"
    bits += "".join(f"{value:010b}" for value in picture)
    bits += "0" * (-len(bits) % 8)
    data = [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]
    mask = from_brush(data, 3, 4).decode()
    assert (mask == (picture.reshape(3, 4, 4)[..., 3] > 127)).all()
    with pytest.raises(ValueError, match="cut off"):
        from_brush(data[:-3], 3, 4)


@pytest.mark.parametrize("numbers", [[2**70, 1], [None], [{}], [[1], [2, 3]]])
def test_what_is_no_number_is_refused(numbers):
    with pytest.raises(ValueError, match="its RLE holds a number that is too large, or none"):
        from_counts(numbers, 3, 3)
