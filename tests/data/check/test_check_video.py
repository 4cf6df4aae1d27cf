import numpy as np
import pytest
from made_datasets import made, names_of, only

from segmentation.data.check.video import shared_videos


def video(length, seed=0, changed=2):
    """Return the hashes of frames: each differs from the one before in some bits."""
    rng = np.random.default_rng(seed)
    frames = [int(rng.integers(0, 2**63))]
    for _ in range(length - 1):
        flips = sum(1 << int(bit) for bit in rng.choice(64, changed, replace=False))
        frames.append(frames[-1] ^ flips)
    return np.array(frames, dtype=np.uint64)


def numbered(name, numbers, looks):
    """Return a split of frames with these numbers, out of a video's."""
    return [f"{name}{number:05d}" for number in numbers], {"appearance": looks[list(numbers)]}


LOOKS = video(400)


def test_a_clip_between_frames_of_train():
    train = [*range(0, 100, 10), *range(130, 230, 10)]
    source = made(train=numbered("a/x_", train, LOOKS), val=numbered("a/x_", range(95, 125), LOOKS))
    found = only(shared_videos(source))
    assert (found.level, found.kind) == ("warning", "video")
    assert "all its 30 images are neighbours of train's" in found.message
    assert "a/x_00095 to a/x_00124 between a/x_00090 and a/x_00130" in found.message
    assert names_of(found) == [("a/x_00090", "a/x_00095"), ("a/x_00130", "a/x_00124")]
    assert [one.note for one in found.examples] == ["5 numbers apart", "6 numbers apart"]


def test_a_clip_after_trains_last_frame_counts_and_a_later_one_does_not():
    val = [*range(104, 120, 2), *range(300, 320, 2)]
    source = made(train=numbered("x", range(0, 102, 2), LOOKS), val=numbered("x", val, LOOKS))
    message = only(shared_videos(source)).message
    assert "8 of its 18 images" in message
    assert "x00104 to x00118 beside x00100" in message


def test_frames_dealt_out_at_random():
    order = np.random.default_rng(1).permutation(200).tolist()
    source = made(
        train=numbered("x", sorted(order[:150]), LOOKS),
        val=numbered("x", sorted(order[150:]), LOOKS),
        test=(["other1", "other2"], {}),
    )
    assert "all its 50 images" in only(shared_videos(source)).message


def test_images_that_are_numbered_but_unrelated():
    looks = np.random.default_rng(2).integers(0, 2**64, 200, dtype=np.uint64)
    interleaved = made(
        train=numbered("x", [n for n in range(200) if n % 4], looks),
        val=numbered("x", range(0, 200, 4), looks),
    )
    one_after_another = made(
        train=numbered("x", range(150), looks), val=numbered("x", range(150, 200), looks)
    )
    assert list(shared_videos(interleaved)) == []
    assert list(shared_videos(one_after_another)) == []


def test_splits_that_number_their_own_images():
    videos = [video(100, seed) for seed in (3, 4)]
    source = made(train=numbered("", range(100), videos[0]), val=numbered("", range(40), videos[1]))
    assert list(shared_videos(source)) == []


def test_a_frame_that_is_in_both_splits_does_not_hide_the_video():
    train, val = numbered("x", range(50), LOOKS), numbered("x", range(49, 80), LOOKS)
    train[1]["image_hash"] = [f"frame {number}" for number in range(50)]
    val[1]["image_hash"] = [f"frame {number}" for number in range(49, 80)]
    assert "all its 31 images" in only(shared_videos(made(train=train, val=val))).message


def test_videos_of_their_own_and_names_without_numbers():
    source = made(
        train=numbered("a_", range(50), LOOKS),
        val=numbered("b_", range(50, 90), LOOKS),
        test=(["one", "two"], {}),
    )
    assert list(shared_videos(source)) == []


@pytest.mark.parametrize("numbers", [([1], [2]), ([0, 1], [2, 3])])
def test_a_few_neighbours_prove_nothing(numbers):
    train, val = (numbered("x", part, LOOKS) for part in numbers)
    assert list(shared_videos(made(train=train, val=val))) == []


def test_numbers_of_any_length():
    names = [f"t{10**30 + number}" for number in range(20)]
    source = made(
        train=(names[:10], {"appearance": LOOKS[:10]}),
        val=(names[10:], {"appearance": LOOKS[10:20]}),
        test=numbered("far", range(200, 230), LOOKS),
    )
    assert "all its 10 images" in only(shared_videos(source)).message
