"""Images above data.max_pixels, read in windows: as they are read whole."""

import json
import zlib

import numpy as np
import pytest
import rasterio
from commands import run, succeed
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.classes import VOID, Entry
from segmentation.data.augment.transform import TrainTransform
from segmentation.data.datamodule import SegmentationData
from segmentation.data.dataset import SegmentationDataset
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.pairs import Pairs
from segmentation.data.discovery.scan import scan_samples
from segmentation.data.discovery.value_range import sample_values
from segmentation.data.images import windowed
from segmentation.data.images.choose_channels import choose_channels
from segmentation.data.images.image_reader import ImageReader
from segmentation.data.masks.labels import Labels, write_table
from segmentation.errors import ConfigError, DataError

LABELS = Labels([Entry("ground", (0, 0, 0), 0), Entry("water", (0, 0, 255), 1)])
SIZE = (96, 128)
TILED = {"tiled": True, "blockxsize": 16, "blockysize": 16}


def write(path, bands, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = bands.shape
    with rasterio.open(path, "w", driver="GTiff", height=height, width=width, count=count,
                       dtype=bands.dtype, **{**TILED, **options}) as file:  # fmt: skip
        file.write(bands)
    return path


def sample(folder, name="a", count=4, dtype="uint16", size=SIZE, **options):
    """Write an image that is brighter where its mask is 1, with a corner without data."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    mask = np.kron(rng.integers(0, 2, (size[0] // 16, size[1] // 16)), np.ones((16, 16), int))
    bands = rng.integers(10, 60, (count, *size)) + 150 * mask
    bands[:, :10, :20] = 0
    return Sample(
        name,
        write(folder / "images" / f"{name}.tif", bands.astype(dtype), nodata=0, **options),
        write(folder / "masks" / f"{name}.tif", mask[None].astype(np.uint8)),
    )


def both(one, option="auto"):
    """Return the pairs of a sample, read whole and read in windows."""
    channels = choose_channels(option, [one.image])
    return (Pairs([one], LABELS, ImageReader(channels, most)) for most in (SIZE[0] * SIZE[1], 50))


@settings(max_examples=25, deadline=None)
@given(
    rows=st.tuples(st.integers(0, 95), st.integers(1, 96)),
    columns=st.tuples(st.integers(0, 127), st.integers(1, 128)),
    option=st.sampled_from(["auto", [3, 1], 4]),
)
def test_a_window_holds_what_the_whole_image_does(tmp_path_factory, rows, columns, option):
    whole, parts = both(sample(tmp_path_factory.mktemp("data")), option)
    (image, labels), (other, others) = whole[0], parts[0]
    assert isinstance(other, windowed.WindowedImage)
    assert (other.shape, other.dtype) == (image.shape, image.dtype)
    window = slice(rows[0], sum(rows)), slice(columns[0], sum(columns))
    np.testing.assert_array_equal(other[window], image[window])
    np.testing.assert_array_equal(others[window], labels[window])


@pytest.mark.parametrize(("count", "dtype"), [(3, "uint8"), (1, "uint8"), (4, "uint16")])
def test_training_crops_are_the_same(tmp_path, count, dtype):
    photo = {"photometric": "RGB"} if count == 3 else {}
    whole, parts = both(sample(tmp_path, count=count, dtype=dtype, **photo))
    transform = TrainTransform([{"HorizontalFlip": {}}], crop=(32, 48), scale=(0.5, 2.0),
                               class_balanced=True, channels=whole.reader.channels)  # fmt: skip
    for seed in range(5):
        for one, other in zip(transform(*whole[0], (seed,)), transform(*parts[0], (seed,)),
                              strict=True):  # fmt: skip
            np.testing.assert_array_equal(one, other)


def test_an_epoch_has_as_many_crops_as_cover_the_image(tmp_path):
    _, parts = both(sample(tmp_path))
    data = SegmentationData({"train": parts}, crop=(32, 32), batch_size=4, workers=0)
    assert len(data.train_set) == 12
    crops = [data.train_set[0, index]["image"].numpy() for index in range(12)]
    assert len({crop.tobytes() for crop in crops}) == 12
    with pytest.raises(ConfigError, match=r"data\.crop=auto"):
        SegmentationData({"train": parts}, batch_size=4, workers=0)
    with pytest.raises(ConfigError, match=r"data\.size is for whole images"):
        SegmentationData({"train": parts}, size=(32, 32), batch_size=4, workers=0)


def test_tiles_score_each_pixel_once(tmp_path, monkeypatch):
    monkeypatch.setattr(windowed, "SIDE", 40)
    monkeypatch.setattr(windowed.windows, "__defaults__", (40,))
    whole, parts = both(sample(tmp_path))
    tiles = SegmentationDataset(parts)
    assert len(tiles) == 3 * 4
    items = [tiles[index] for index in range(len(tiles))]
    counts = np.stack([np.bincount(item["mask"].numpy().ravel(), minlength=256) for item in items])
    counts[:, VOID] = 0  # margins
    expected = np.bincount(whole[0][1].ravel(), minlength=256)
    expected[VOID] = 0
    np.testing.assert_array_equal(tiles.per_image(counts), expected[None])
    assert [item["index"] for item in items] == list(range(12))


def test_the_scan_and_the_range_are_those_of_the_whole(tmp_path):
    one = sample(tmp_path)
    whole, parts = both(one)
    scans = [scan_samples([one], LABELS, pairs.reader) for pairs in (whole, parts)]
    for name in ("pixels", "void", "sizes", "image_hash", "mask_hash", "problem"):
        np.testing.assert_array_equal(getattr(scans[0], name), getattr(scans[1], name))
    values, known = sample_values(one.image, parts.reader)
    assert values.shape == known.shape
    assert values[known].min() >= 10


def test_what_cannot_be_read_in_windows_is_refused_with_what_to_type(tmp_path):
    one = sample(tmp_path)
    reader = ImageReader(choose_channels("auto", [one.image]), 50)
    mask = tmp_path / "mask.png"
    mask.touch()
    with pytest.raises(DataError, match=r"mask\.png is too large.*rio convert mask\.png mask\.tif"):
        Pairs([Sample("a", one.image, mask)], LABELS, reader)[0]
    other = write(tmp_path / "small.tif", np.zeros((1, 32, 32), np.uint8))
    with pytest.raises(DataError, match=r"small\.tif is 32x32 but its image a\.tif is 128x96"):
        Pairs([Sample("a", one.image, other)], LABELS, reader)[0]
    photo = ImageReader(max_pixels=50)
    with pytest.raises(DataError, match=r"holds 4 bands of uint16.*data\.channels=auto"):
        Pairs([one], LABELS, photo)[0]


def test_pieces_as_large_as_the_file_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(windowed, "MAX_BLOCK", 255)
    one = sample(tmp_path)
    with pytest.raises(DataError, match=r"pieces of 16x16.*rio convert .*--co TILED=YES"):
        windowed.WindowedImage(one.image, ImageReader(choose_channels("auto", [one.image]), 50))


@pytest.mark.slow
def test_large_images_from_check_to_prediction(tmp_path):
    for split, names in {"train": ("a", "bb"), "val": ("ccc",)}.items():
        for name in names:
            one = sample(tmp_path / "data", f"{split}_{name}")
            for path in (one.image, one.mask):
                folder = path.parent / split
                folder.mkdir(exist_ok=True)
                path.rename(folder / path.name)
    write_table(tmp_path / "data" / "classes.yaml", LABELS.table)
    data = ("data=folder", f"data.root={tmp_path / 'data'}", "data.max_pixels=50")
    succeed("check.py", *data, f"output={tmp_path / 'check'}")
    succeed("train.py", *data, "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
            "decoder.channels=[8,8,8,8,8]", "logger=none", "trainer=cpu", "data.crop=[32,32]",
            "data.workers=0", "trainer.max_epochs=2",
            f"hydra.run.dir={tmp_path / 'run'}")  # fmt: skip
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["images"] == 1
    image = tmp_path / "data" / "images" / "val" / "val_ccc.tif"
    succeed("predict.py", f"model={tmp_path / 'run'}", f"input={image}", "max_pixels=50",
            f"output={tmp_path / 'out'}", "device=cpu")  # fmt: skip
    with rasterio.open(tmp_path / "out" / "val_ccc.tif") as file:
        assert (file.shape, file.dtypes, file.nodata) == (SIZE, ("uint8",), VOID)
        labels = file.read(1)
    assert (labels[:10, :20] == VOID).all()
    assert labels[20:].max() < 2
    failed = run("predict.py", f"model={tmp_path / 'run'}", f"input={image}", "max_pixels=0")
    assert failed.returncode == 1
