"""Images with more than RGB, from the files to a prediction."""

import json

import numpy as np
import pytest
import rasterio
import torch
from commands import run, succeed
from PIL import Image

from segmentation import Predictor
from segmentation.errors import ModelError
from segmentation.models import load_model

QUICK = (
    "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none", "loss=cross_entropy",
    "decoder.channels=[16,16,8,8,8]", "logger=none", "trainer=cpu", "augment=none",
    "data.batch_size=4", "data.workers=0", "data.cache=off",
)  # fmt: skip


def write_tiff(path, bands, names=(), **options):
    """Write (bands, H, W) as a GeoTIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = bands.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=count, dtype=bands.dtype,
        photometric="MINISBLACK", **options,
    ) as file:  # fmt: skip
        file.write(bands)
        for number, name in enumerate(names, start=1):
            file.set_band_description(number, name)


def four_bands(root, splits=None):
    """Write 12-bit images whose two classes differ in the fourth band alone."""
    rng = np.random.default_rng(0)
    for split, count in (splits or {"train": 16, "val": 2, "test": 2}).items():
        for index in range(count):
            mask = np.kron(rng.integers(0, 2, (4, 4), dtype=np.uint8), np.ones((8, 8), np.uint8))
            bands = rng.integers(300, 900, (4, 32, 32), dtype=np.uint16)
            bands[3] += 2000 * mask.astype(np.uint16)
            write_tiff(
                root / "images" / split / f"{index}.tif", bands, ("blue", "green", "red", "nir")
            )
            (root / "masks" / split).mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(root / "masks" / split / f"{index}.png")
    return root


def train(root, directory, *options):
    succeed("train.py", "data=folder", f"data.root={root}", *QUICK, f"hydra.run.dir={directory}",
            "trainer.max_epochs=10", "optimizer.lr=0.02", *options)  # fmt: skip
    return json.loads((directory / "metrics.json").read_text())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return four_bands(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "four"
    return directory, train(data, directory)


@pytest.mark.slow
def test_classes_of_the_fourth_band_are_learnt_with_it_and_not_without(trained, data, tmp_path):
    _, metrics = trained
    assert metrics["miou"] > 0.9
    assert train(data, tmp_path / "three", "data.channels=[1,2,3]")["miou"] < 0.6


@pytest.mark.slow
def test_a_run_keeps_the_range_of_the_values_and_what_its_channels_are(trained, data):
    directory, _ = trained
    for loaded in (load_model(directory), load_model(directory / "model")):
        channels = loaded.channels
        assert channels.names == ("blue", "green", "red", "nir")
        assert (channels.dtype, channels.total, channels.shown) == ("uint16", 4, (2, 1, 0))
        low, high = channels.low, channels.high
        assert 300 <= low[0] < 320
        assert 880 < high[0] <= 900
        assert high[3] > 2800
        # What is at the ends of the range is to the weights as 0 and 255 are
        model = loaded.model
        ends = torch.stack([(torch.tensor(end) - model.mean.flatten()) / model.std.flatten()
                            for end in (low, high)])  # fmt: skip
        means = torch.tensor([123.675, 116.28, 103.53, 123.675])
        stds = torch.tensor([58.395, 57.12, 57.375, 58.395])
        torch.testing.assert_close(ends[0], -means / stds, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(ends[1], (255 - means) / stds, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_scoring_again_and_predicting_read_the_same_bands(trained, data, tmp_path):
    directory, metrics = trained
    succeed("evaluate.py", f"run={directory}", "split=test")
    (again,) = directory.glob("eval*/**/metrics.json")
    assert json.loads(again.read_text())["miou"] == metrics["miou"]

    images = data / "images" / "test"
    succeed("predict.py", f"model={directory}", f"input={images}", f"output={tmp_path}",
            "overlay=true", "device=cpu")  # fmt: skip
    labels = np.asarray(Image.open(tmp_path / "0.png"))
    mask = np.asarray(Image.open(data / "masks" / "test" / "0.png"))
    assert (labels == mask).mean() > 0.9
    predictor = Predictor(directory)
    with rasterio.open(images / "0.tif") as file:
        bands = file.read().transpose(1, 2, 0)
    np.testing.assert_array_equal(predictor(bands).mask, labels)
    for wrong in (bands[..., :3], bands.astype(np.float32), bands[..., 0]):
        with pytest.raises(ModelError, match=r"images \(H, W, 4\) of uint16: .*blue, green, red"):
            predictor(wrong)

    photo = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "photos").mkdir()
    photo.save(tmp_path / "photos" / "x.png")
    failed = run("predict.py", f"model={directory}", f"input={tmp_path / 'photos'}",
                 f"output={tmp_path / 'none'}", "device=cpu")  # fmt: skip
    assert failed.returncode == 1
    assert "x.png holds 3 bands of uint8" in failed.stderr
