import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from populations import Scenes

from segmentation.evaluation.statistics.sequences import find_sequences, is_video


def named(names, groups=None):
    """Return the sequences as lists of names."""
    return [[names[i] for i in sequence] for sequence in find_sequences(names, groups)]


def test_the_number_at_the_end_orders_the_frames_of_a_prefix():
    names = ["b_10", "a2_2", "b_9", "a2_1", "b_11"]
    assert named(names) == [["a2_1", "a2_2"], ["b_9", "b_10", "b_11"]]


def test_a_gap_of_more_than_twice_the_usual_step_begins_a_sequence():
    names = [f"v_{n:05d}" for n in (0, 30, 60, 120, 150, 211, 241)]
    assert [len(part) for part in named(names)] == [5, 2]  # 60 to 120 is twice, 150 to 211 more


def test_names_without_a_number_are_alone():
    assert named(["left", "right", "x1", "x2"]) == [["left"], ["right"], ["x1", "x2"]]


def test_given_sequences_count_whatever_the_names_say():
    names = ["f1", "f900", "f3", "other", "late"]
    assert named(names, ["v", "v", "v", "w", "w"]) == [["f1", "f3", "f900"], ["other", "late"]]


def test_a_very_long_number_is_no_obstacle():
    assert sum(map(len, find_sequences(["1" * 5000, "1" * 4999 + "2"]))) == 2


@settings(max_examples=40)
@given(st.lists(st.from_regex(r"[ab]?[0-9]{0,3}", fullmatch=True), unique=True, min_size=1))
def test_every_image_is_in_one_sequence_and_the_order_of_names_is_no_matter(names):
    found = find_sequences(names)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(names)))
    assert named(names) == named(names[::-1])


@pytest.mark.parametrize(("likeness", "expected"), [(0.0, False), (0.95, True)])
def test_a_video_is_known_by_neighbours_that_look_alike(likeness, expected):
    truth = Scenes(np.random.default_rng(0), 100, likeness, common=True).pixels
    assert is_video(truth, find_sequences([f"{n:04d}" for n in range(100)])) is expected


def test_few_neighbours_prove_nothing():
    assert not is_video(np.ones((4, 3)), find_sequences(["a1", "a2", "a3", "a4"]))


@pytest.mark.parametrize(("split", "lengths"), [("val", [101]), ("train", [62, 120, 68, 16, 101])])
def test_real_camvid_is_video(camvid_root, split, lengths):
    files = sorted((camvid_root / f"{split}annot").glob("*.png"))
    sequences = find_sequences([path.stem for path in files])
    assert sorted(map(len, sequences)) == sorted(lengths)
    truth = np.array([
        np.bincount(np.asarray(Image.open(path))[::4, ::4].ravel(), minlength=12)[:11]
        for path in files
    ])  # fmt: skip
    assert is_video(truth, sequences)
