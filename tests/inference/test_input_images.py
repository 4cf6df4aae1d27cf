"""The images to predict, and the names of their masks."""

import pytest

from segmentation.errors import ConfigError, DataError
from segmentation.inference.input_images import name_masks


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_masks_lie_in_the_folders_of_their_images(tmp_path):
    images = [touch(tmp_path / "a/one.jpg"), touch(tmp_path / "b/one.png")]
    assert list(name_masks(tmp_path, tmp_path / "out").items()) == [
        (images[0], "a/one"),
        (images[1], "b/one"),
    ]
    assert name_masks(images[0], tmp_path / "out") == {images[0]: "one"}


def test_earlier_masks_in_the_output_are_not_predicted(tmp_path):
    image = touch(tmp_path / "one.jpg")
    touch(tmp_path / "out/one.png")
    assert list(name_masks(tmp_path, tmp_path / "out")) == [image]


def test_nothing_is_overwritten(tmp_path):
    image = touch(tmp_path / "one.png")
    with pytest.raises(ConfigError, match=r"would overwrite input images, such as .*one\.png"):
        name_masks(tmp_path, tmp_path)
    with pytest.raises(ConfigError, match="would overwrite"):
        name_masks(image, tmp_path)
    touch(tmp_path / "one.jpg")
    with pytest.raises(DataError, match="several images named one: their masks would overwrite"):
        name_masks(tmp_path, tmp_path / "out")


def test_a_missing_or_empty_folder(tmp_path):
    with pytest.raises(DataError, match=r"no file or folder .*absent"):
        name_masks(tmp_path / "absent", tmp_path / "out")
    touch(tmp_path / "notes.txt")
    with pytest.raises(DataError, match=r"no images in .*\.jpg"):
        name_masks(tmp_path, tmp_path / "out")
