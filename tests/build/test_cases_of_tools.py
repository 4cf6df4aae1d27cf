"""Small data sets as tools leave them, each with what is right: classes, shares, splits, warnings.

A shape of 12x16 pixels is the foreground of each 48x64 image unless a case says otherwise.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from raw_images import write_png, write_tiff

from segmentation.build.data import find_dataset
from segmentation.config import CONF
from segmentation.errors import DataError

SHAPE = np.zeros((48, 64), np.uint8)
SHAPE[20:32, 30:46] = 1
THREE = SHAPE.copy()
THREE[:8] = 2
HUNDRED = np.arange(100, dtype=np.uint8).reshape(10, 10).repeat(4, 0).repeat(6, 1)
HUNDRED = np.pad(HUNDRED, ((0, 8), (0, 4)))
COUNT = 10


class Case(NamedTuple):
    """What is written for image `number`, and what must come of it."""

    write: Callable[[Path, int], object]
    classes: list[str]
    pixels: list[int]
    said: str = ""


def png(folder: Path, number: int, values: np.ndarray, palette: list[int] | None = None) -> Path:
    image = Image.fromarray(values)
    if palette:
        image.putpalette(palette)
    path = folder / f"{number}.png"
    image.save(path)
    return path


def stray(folder: Path, number: int) -> None:
    mask = SHAPE * np.uint8(255)
    mask[25, 35] = 254 if number == 3 else 255
    png(folder, number, mask)


def antialiased(folder: Path, number: int) -> None:
    large = Image.fromarray(SHAPE * np.uint8(255)).resize((256, 192), Image.Resampling.NEAREST)
    soft = large.rotate(20).resize((64, 48), Image.Resampling.BOX)
    png(folder, number, np.array(soft))


def palette_per_file(folder: Path, number: int) -> None:
    if number % 2:
        png(folder, number, THREE, [0, 0, 0, 255, 0, 0, 0, 255, 0])
    else:  # the same picture, its colours in another order
        order = np.array([2, 1, 0], np.uint8)
        png(folder, number, order[THREE], [0, 255, 0, 255, 0, 0, 0, 0, 0])


AREA, TOP = 12 * 16, 8 * 64
REST = 48 * 64 - AREA
LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ndisc:128,0,0::\nbar:0,128,0::\n"

CASES = {
    "a stray pixel": Case(
        stray,
        ["background", "foreground"],
        [COUNT * REST, COUNT * AREA - 1],
        "value 254 (0.0033% of the pixels, in 3.png)",
    ),
    "palettes that disagree": Case(
        palette_per_file,
        ["background", "class_00ff00", "class_ff0000"],
        [COUNT * (REST - TOP), COUNT * TOP, COUNT * AREA],
        "palettes disagree: index 0 is",
    ),
    "white is zero": Case(
        lambda folder, n: write_tiff(folder / f"{n}.tif", THREE, 8, white_is_zero=True),
        ["class_0", "class_1", "class_2"],
        [COUNT * (REST - TOP), COUNT * AREA, COUNT * TOP],
    ),
    "four bits": Case(
        lambda folder, n: write_png(folder / f"{n}.png", THREE, 4),
        ["class_0", "class_1", "class_2"],
        [COUNT * (REST - TOP), COUNT * AREA, COUNT * TOP],
    ),
    "a nodata value that is used": Case(
        lambda folder, n: write_png(folder / f"{n}.png", THREE, 8, transparency=b"\0\0"),
        ["class_0", "class_1", "class_2"],
        [COUNT * (REST - TOP), COUNT * AREA, COUNT * TOP],
        "0 transparent (nodata)",
    ),
    "a nodata value that is not used": Case(
        lambda folder, n: write_png(folder / f"{n}.png", THREE, 8, transparency=b"\0\xff"),
        ["class_0", "class_1", "class_2"],
        [COUNT * (REST - TOP), COUNT * AREA, COUNT * TOP],
    ),
    "three colours of VOC": Case(
        lambda folder, n: png(
            folder, n, np.array([(0, 0, 0), (128, 0, 0), (128, 128, 0)], np.uint8)[THREE]
        ),
        ["background", "class_800000", "class_808000"],
        [COUNT * (REST - TOP), COUNT * AREA, COUNT * TOP],
    ),
    "a hundred classes": Case(
        lambda folder, n: png(folder, n, HUNDRED),
        [f"class_{index}" for index in range(100)],
        [COUNT * (24 + 48 * 64 - 40 * 60), *[COUNT * 24] * 99],
    ),
    "0 and 1 beside 0 and 255": Case(
        lambda folder, n: png(folder, n, SHAPE * np.uint8(255 if n % 2 else 1)),
        ["background", "foreground"],
        [COUNT * REST, COUNT * AREA],
        "the foreground is 1 in 5 masks",
    ),
    "greys saved as RGBA": Case(
        lambda folder, n: Image.fromarray(SHAPE * np.uint8(255))
        .convert("RGBA")
        .save(folder / f"{n}.png"),
        ["background", "foreground"],
        [COUNT * REST, COUNT * AREA],
    ),
}  # fmt: skip


def find(root: Path, **options):
    config = OmegaConf.load(CONF / "data" / "folder.yaml")
    return find_dataset(OmegaConf.merge(config, {"root": str(root), **options}))


def images(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(COUNT):
        noise = np.random.default_rng(number).integers(0, 256, (48, 64, 3)).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")


@pytest.mark.parametrize("name", list(CASES))
def test_what_is_learnt(tmp_path, caplog, name):
    case = CASES[name]
    images(tmp_path / "images")
    (tmp_path / "masks").mkdir()
    for number in range(COUNT):
        case.write(tmp_path / "masks", number)
    for start in range(2):  # a guess and what was written of it are one
        caplog.clear()
        source = find(tmp_path)
        assert list(source.labels.classes.names) == case.classes
        pixels = sum(scan.pixels.sum(axis=0) for scan in source.scans.values())
        assert pixels.tolist() == case.pixels
        assert "guess from" in caplog.text
        if not start:
            assert case.said in caplog.text


def test_antialiased_edges_are_void_and_the_foreground_is_a_class(tmp_path):
    images(tmp_path / "images")
    (tmp_path / "masks").mkdir()
    for number in range(COUNT):
        antialiased(tmp_path / "masks", number)
    source = find(tmp_path)
    assert source.labels.classes.names == ("background", "foreground")
    pixels = sum(scan.pixels.sum(axis=0) for scan in source.scans.values())
    assert pixels[1] > 0.8 * COUNT * AREA
    assert 0 < sum(scan.void.sum() for scan in source.scans.values()) < 0.04 * COUNT * 48 * 64


def test_vocs_lists_and_names(tmp_path, caplog):
    images(tmp_path / "JPEGImages")
    for folder in ("SegmentationClass", "Annotations", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    for number in range(COUNT - 1):
        png(tmp_path / "SegmentationClass", number, THREE, [0, 0, 0, 128, 0, 0, 0, 128, 0])
    (tmp_path / "Annotations" / "0.xml").write_text("<annotation/>")
    (tmp_path / "labelmap.txt").write_text(LABELMAP)
    for split, numbers in (("train", "012345"), ("val", "67")):
        (tmp_path / "ImageSets/Segmentation" / f"{split}.txt").write_text("\n".join(numbers))
    source = find(tmp_path)
    assert source.labels.classes.names == ("background", "disc", "bar")
    assert {split: len(rows) for split, rows in source.samples.items()} == {"train": 6, "val": 2}
    assert "labelmap.txt" in source.table
    assert "guess" not in caplog.text
    assert not (tmp_path / "classes.yaml").exists()


def test_names_that_yaml_takes_for_others(tmp_path):
    images(tmp_path / "images")
    (tmp_path / "masks").mkdir()
    for number in range(COUNT):
        png(tmp_path / "masks", number, SHAPE)
    rows = ["- {name: no, color: [0, 0, 0], index: 0}", "- {name: yes, color: [9, 9, 9], index: 1}"]
    (tmp_path / "classes.yaml").write_text("\n".join(rows))
    assert find(tmp_path).labels.classes.names == ("no", "yes")


def test_masks_as_gif(tmp_path):
    images(tmp_path / "train")
    (tmp_path / "train_masks").mkdir()
    for number in range(COUNT):
        mask = Image.fromarray(SHAPE)
        mask.putpalette([0, 0, 0, 255, 255, 255])
        mask.save(tmp_path / "train_masks" / f"{number}_mask.gif")
    source = find(tmp_path)
    assert len(source.labels.classes) == 2
    assert sum(scan.pixels[:, 1].sum() for scan in source.scans.values()) == COUNT * AREA


def test_a_thick_255_stops_with_both_readings_and_either_can_be_typed(tmp_path):
    images(tmp_path / "images")
    (tmp_path / "masks").mkdir()
    mask = THREE.copy()
    mask[:, :30] = 255
    for number in range(COUNT):
        png(tmp_path / "masks", number, mask)
    with pytest.raises(DataError, match=r"data\.classes=each-value(.|\n)*data\.classes=void-255"):
        find(tmp_path)
    assert "class_255" in find(tmp_path, classes="each-value").labels.classes.names
    assert find(tmp_path, classes="void-255").scans["train"].void.sum() > 0


def test_nothing_found_is_explained(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    images(tmp_path / "images")
    (tmp_path / "masks").mkdir()
    for number in range(COUNT):
        Image.fromarray(SHAPE * np.uint8(255)).save(tmp_path / "masks" / f"{number}.jpg")
    with pytest.raises(DataError, match="masks/ holds 10 JPEG files: JPEG changes labels"):
        find(tmp_path)
