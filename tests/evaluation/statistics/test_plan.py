import numpy as np
import pytest
from populations import Scenes, scored

from segmentation.errors import ConfigError
from segmentation.evaluation.statistics.plan import TOO_FEW, UNLIKE, plan
from segmentation.evaluation.statistics.resampling import by_block, by_image


def frames(images=120, likeness=0.9, seed=0, names=None):
    """Return a run on a video whose file names number its frames."""
    scenes = Scenes(np.random.default_rng(seed), images, likeness, common=True)
    return scored(scenes.predict(), names or [f"clip_{2 * n:05d}" for n in range(images)])


def test_frames_of_a_video_are_drawn_in_blocks():
    found = plan([frames()])
    assert found.by == "block"
    assert found.sequences == 1
    assert 3 < found.length <= 24


def test_numbered_images_that_are_no_video_are_drawn_singly():
    assert plan([frames(likeness=0.0)]).by == "image"
    assert plan([scored(Scenes(np.random.default_rng(0), 30).predict())]).by == "image"


def test_what_is_asked_for_is_done():
    assert plan([frames()], by="image").by == "image"
    assert plan([frames(likeness=0.0, seed=3)], by="block").by == "block"


def test_given_sequences_need_no_names():
    names = [f"{chr(97 + n % 26)}{n}x" for n in range(120)]
    found = plan([frames(names=names)], groups=["one"] * 60 + ["two"] * 60)
    assert (found.by, found.sequences) == ("block", 2)


def test_a_difference_with_a_longer_memory_makes_longer_blocks():
    # What both find hard has no memory and covers, in each, that one falls behind slowly.
    hard = np.random.default_rng(0).uniform(0.3, 0.9, 120)
    runs = []
    for share in (hard, hard - np.linspace(0, 0.1, 120)):
        right = np.round(1000 * share).astype(int)
        rows = np.stack([right, 1000 - right], axis=1)
        runs.append(scored(np.stack([rows, 0 * rows], axis=1), [f"f{n}" for n in range(120)]))
    alone = [plan([run], by="block").length for run in runs]
    assert max(alone) < 8
    assert plan(runs, by="block").length > 2 * max(alone)


def test_blocks_without_neighbours_are_refused():
    with pytest.raises(ConfigError, match=r"no two names share .* 'a0x'. Pass by=image"):
        plan([scored(Scenes(np.random.default_rng(0), 30).predict())], by="block")


def test_too_few_resamples_are_refused():
    with pytest.raises(ConfigError, match="resamples=20: at least 100"):
        plan([frames()], resamples=20)


def test_it_is_said_when_a_video_is_drawn_singly():
    few, alone = plan([frames(images=8)], by="block").notes
    assert few.startswith("There are only 8 images: no interval from fewer than 10")
    assert alone == TOO_FEW
    constant = np.tile(frames(images=1).confusion, (40, 1, 1))
    found = plan([scored(constant, [f"a{n}" for n in range(40)])])
    assert (found.by, found.notes) == ("image", (UNLIKE,))


def test_few_images_carry_no_interval_worth_trusting():
    assert by_image(10).notes == ()
    assert by_image(1).notes == (
        "There is only 1 image: no interval from fewer than 10 is worth trusting.",
    )
    (few, *_) = by_block([np.arange(9)], 3).notes
    assert few.startswith("There are only 9 images")
