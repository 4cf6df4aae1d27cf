import random

import pytest
from made_datasets import made, only

from segmentation.data.check import camvid, check_dataset
from segmentation.data.fetch.camvid import CAMVID
from segmentation.data.fetch.checksums import read_checksums


@pytest.fixture(scope="module")
def published():
    """CamVid's frames by split."""
    names = {"train": [], "val": [], "test": []}
    for path in read_checksums(CAMVID.checksums):
        folder, _, name = path.partition("/")
        if folder in names:
            names[folder].append(name.removesuffix(".png"))
    assert {split: len(own) for split, own in names.items()} == camvid.PUBLISHED
    return names


def test_the_published_split_and_parts_of_it_are_silent(published):
    assert list(camvid.other_split(made(**published))) == []
    part = {split: published[split] for split in ("train", "val")}
    assert list(camvid.other_split(made(**part))) == []


def test_kaggles_split_is_named_with_its_neighbours(published):
    frames = [name for own in published.values() for name in own]
    random.Random(0).shuffle(frames)
    source = made(train=frames[:369], val=frames[369:469], test=frames[469:])
    found = only(check_dataset(source), "camvid-split")
    assert found.level == "warning"
    assert "train/val/test 367/101/233, here train/val/test 369/100/232), as on Kaggle" in (
        found.message
    )
    clips = [{(name[:4], int(name[-5:])) for name in own} for own in (frames[:369], frames[469:])]
    near = sum(
        any((clip, number + step) in clips[0] for step in range(-30, 31))
        for clip, number in clips[1]
    )
    assert f"{near} of the 232 frames of test are within a second of a frame of train." in (
        found.message
    )
    assert len(found.examples) == near > 150
    assert "compare with nothing published" in found.message
    assert "fetch.py camvid" in found.message
    for example in found.examples:
        (one, other) = example.items
        assert (one.split, other.split) == ("train", "test")
        assert one.name.partition("_")[0] == other.name.partition("_")[0]
        assert abs(int(one.name[-5:]) - int(other.name[-5:])) <= 30


def test_numbered_frames_of_another_data_set_are_silent():
    names = [f"0016E5_{900000 + index}" for index in range(60)]
    assert list(camvid.other_split(made(train=names[:40], val=names[40:]))) == []
