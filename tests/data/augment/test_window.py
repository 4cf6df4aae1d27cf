import sys
import tracemalloc

import cv2
import numpy as np
import pytest
from fakes import fake_mask
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.classes import VOID
from segmentation.data.augment.window import (
    FILL,
    balanced_window,
    cut,
    random_span,
    random_window,
    resize_image,
)

lengths = st.integers(1, 200)
zooms = st.floats(0.2, 4)
seeds = st.integers(0, 2**32)


@given(source=lengths, target=lengths, zoom=zooms, seed=seeds)
def test_a_span_lies_in_source_and_target_and_keeps_the_zoom(source, target, zoom, seed):
    span = random_span(source, target, zoom, np.random.default_rng(seed))
    assert 0 <= span.start < span.start + span.length <= source
    assert min(span.padding) >= 0
    assert sum(span.padding) + span.resized == target
    if span.padding != (0, 0):
        assert span.length == source  # nothing is padded that the source could fill
    # Whole pixels, at least one: half a pixel off at most, on the side that was rounded.
    if span.length > 1 and span.length * zoom >= 0.5:
        assert abs(span.resized - span.length * zoom) <= 0.5 * max(zoom, 1) + 1e-6


def test_every_place_is_as_likely():
    rng = np.random.default_rng(0)
    starts = [random_span(20, 8, 0.8, rng).start for _ in range(4000)]  # windows of 10
    counts = np.bincount(starts)
    assert len(counts) == 11
    assert counts.min() > 0.75 * 4000 / 11


@settings(max_examples=60, deadline=None)
@given(
    source=st.tuples(st.integers(8, 90), st.integers(8, 90)),
    target=st.tuples(st.integers(8, 90), st.integers(8, 90)),
    zoom=st.tuples(st.floats(0.4, 3), st.floats(0.4, 3)),
    seed=st.integers(0, 1000),
)
def test_image_and_mask_sample_the_same_places(source, target, zoom, seed):
    """Each axis against NumPy: pixel i of the crop has its centre at (i + 1/2) * length/resized."""
    rng = np.random.default_rng(seed)
    ramp = np.add.outer(2 * np.arange(source[0]), np.zeros(source[1], int))
    ramp = np.stack([ramp, np.add.outer(np.zeros(source[0], int), 2 * np.arange(source[1]))], -1)
    image = np.concatenate([ramp, ramp[..., :1]], axis=-1).astype(np.uint8)
    mask = (rng.permutation(source[0])[:, None] + np.arange(source[1])).astype(np.uint8) % 251
    rows, columns = random_window(mask, target, zoom, rng)
    cropped, labels = cut(image, mask, rows, columns)
    assert cropped.shape == (*target, 3)
    assert labels.shape == target
    centres = [
        span.start + (np.arange(span.resized) + 0.5) * span.length / span.resized
        for span in (rows, columns)
    ]
    inside = tuple(
        slice(span.before, span.before + span.resized) for span in (rows, columns)
    )  # fmt: skip
    nearest = np.ix_(*(np.floor(centre).astype(int) for centre in centres))
    clear = np.ix_(
        *(np.abs(centre - np.rint(centre)) > 1e-3 for centre in centres)
    )  # of two pixels
    np.testing.assert_array_equal(labels[inside][clear], mask[nearest][clear])
    for axis, span in enumerate((rows, columns)):
        expected = 2 * np.clip(centres[axis] - 0.5, span.start, span.start + span.length - 1)
        # Averaging what a pixel covers moves the mean of the border's pixels by less than half.
        tolerance = 1 if span.resized * 2 >= span.length else 2 * span.length / span.resized
        ramp_there = cropped[inside][..., axis].astype(float)
        found = ramp_there.mean(axis=1 - axis)
        assert np.abs(found - expected).max() <= tolerance
    outside = np.ones(target, bool)
    outside[inside] = False
    assert (labels[outside] == VOID).all()
    assert (cropped[outside] == FILL).all()


@settings(max_examples=40, deadline=None)
@given(
    target=st.tuples(st.integers(16, 120), st.integers(16, 120)),
    zoom=st.floats(0.4, 2.5),
    seed=st.integers(0, 1000),
)
def test_colours_agree_with_labels_but_for_the_edges_of_classes(target, zoom, seed):
    rng = np.random.default_rng(seed)
    mask = fake_mask(rng, (72, 96)) % 3
    image = (255 * np.eye(3, dtype=np.uint8))[mask]  # class 0 red, 1 green, 2 blue
    cropped, labels = cut(image, mask, *random_window(mask, target, (zoom, zoom), rng))
    inner = cv2.erode(labels, np.ones((3, 3))) == cv2.dilate(labels, np.ones((3, 3)))
    inner &= labels != VOID
    inner[[0, -1]] = inner[:, [0, -1]] = False  # a neighbour of theirs was cut off
    assert inner.any() or min(target) < 40
    np.testing.assert_array_equal(cropped.argmax(axis=-1)[inner], labels[inner])


def test_without_a_zoom_pixels_are_the_sources_own_in_memory_of_their_own():
    rng = np.random.default_rng(0)
    image, mask = (
        rng.integers(0, 256, (40, 60, 3), np.uint8),
        rng.integers(0, 9, (40, 60), np.uint8),
    )
    for target in ((40, 60), (30, 20)):
        rows, columns = random_window(mask, target, (1, 1), rng)
        cropped, labels = cut(image, mask, rows, columns)
        np.testing.assert_array_equal(cropped, image[rows.pixels, columns.pixels])
        np.testing.assert_array_equal(labels, mask[rows.pixels, columns.pixels])
        assert not np.shares_memory(cropped, image)
        assert not np.shares_memory(labels, mask)
        assert type(cropped) is np.ndarray
        assert cropped.flags.writeable


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/smaps")
@pytest.mark.parametrize("place", [random_window, balanced_window])
def test_of_a_memory_map_only_the_windows_rows_are_read(tmp_path, place):
    path = tmp_path / "large.npy"
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(4096, 2048, 3)).flush()
    image = np.load(path, mmap_mode="r")
    mask = np.zeros((4096, 2048), np.uint8)
    rng = np.random.default_rng(0)
    cut(image, mask, *place(mask, (64, 128), (0.8, 0.8), rng))
    read = resident(path)
    assert 80 * 128 * 3 / 1024 / 0.8 < read < 0.05 * 4096 * 2048 * 3 / 1024
    image.sum()
    assert resident(path) > 0.9 * 4096 * 2048 * 3 / 1024  # so the measurement measures


def resident(path) -> int:
    """Return how many kB of a mapped file this process has touched."""
    kilobytes, inside = 0, False
    with open("/proc/self/smaps") as maps:
        for line in maps:
            if "-" in line.split()[0]:
                inside = line.rstrip().endswith(path.name)
            elif inside and line.startswith("Rss:"):
                kilobytes += int(line.split()[1])
    return kilobytes


@pytest.mark.parametrize("place", [random_window, balanced_window])
def test_memory_does_not_grow_with_the_image(place):
    def peak(size):
        image, mask = np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)
        rng = np.random.default_rng(0)
        tracemalloc.start()
        cut(image, mask, *place(mask, (128, 256), (0.7, 0.7), rng))
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    assert peak((2048, 4096)) < 1.1 * peak((512, 1024))
    assert peak((2048, 4096)) > 128 * 256 * 4  # the crop itself is counted


def test_a_balanced_window_shows_more_of_rare_classes():
    mask = np.zeros((100, 200), np.uint8)  # road
    mask[:50] = 1  # sky
    mask[50:60, 160:175] = 2  # somebody on it: 0.75 % of the image
    mask[52:60, 20:24] = 3

    def shares(place):
        rng = np.random.default_rng(0)
        counts = np.zeros(4)
        for _ in range(400):
            rows, columns = place(mask, (40, 60), (1, 1), rng)
            window = mask[rows.pixels, columns.pixels]
            counts += np.bincount(window.ravel(), minlength=4)
        return counts / counts.sum()

    plain, balanced = shares(random_window), shares(balanced_window)
    assert (balanced[2:] > 1.5 * plain[2:]).all()


def test_a_balanced_window_does_not_look_for_void():
    mask = np.full((40, 200), VOID, np.uint8)
    mask[:, :100] = np.arange(100) // 25 % 2  # labelled on the left, evenly
    mask[::8, 100::8] = 2  # and specks in the void: evener still, were void not counted
    mask[::8, 104::8] = 1
    rng = np.random.default_rng(0)
    starts = [balanced_window(mask, (40, 50), (1, 1), rng)[1].start for _ in range(50)]
    chance = [random_window(mask, (40, 50), (1, 1), rng)[1].start for _ in range(50)]
    assert np.mean(starts) < 0.7 * np.mean(chance)
    assert balanced_window(np.full((9, 9), VOID, np.uint8), (4, 4), (1, 1), rng)  # all void


def test_shrinking_far_averages_and_none_changes_nothing():
    image = np.zeros((8, 8, 3), np.uint8)
    image[::4] = 200  # one row in four: bilinear at a quarter would not see it
    assert (resize_image(image, (2, 2)) == 50).all()
    assert resize_image(image, None) is image
    assert resize_image(image, (8, 8)) is image
