import json

import numpy as np
import pytest
import torch
from commands import run, succeed
from fakes import fake_camvid, pairs_of

from segmentation.classes import VOID
from segmentation.data.datamodule import SegmentationData
from segmentation.data.dataset import SegmentationDataset
from segmentation.data.discovery.scanned_dataset import select_usable
from segmentation.errors import DataError


@pytest.fixture
def spoiled(tmp_path):
    """Data of which two files break after the first look."""
    root = fake_camvid(tmp_path)
    splits = {split: pairs_of(root, split) for split in ("train", "val")}
    for name in ("train/train_002.png", "val/val_001.png"):
        (root / name).write_bytes(b"")
    return splits


def test_scoring_gets_one_pixel_of_void_in_place_of_it(spoiled):
    item = SegmentationDataset(spoiled["val"], skip=True)[1]
    assert item["image"].shape == (3, 1, 1)
    assert item["mask"].tolist() == [[VOID]]
    assert "val_001.png cannot be read" in item["failed"]


def test_training_gets_the_next_one(spoiled):
    data = SegmentationData(spoiled, batch_size=6, workers=0, skip=True)
    (batch,) = data.train_dataloader()
    assert set(batch["failed"]) == {"train_002"}
    images = dict(zip(batch["name"], batch["image"], strict=True))
    assert torch.equal(images["train_002"], images["train_003"])


def test_it_stops_by_default(spoiled):
    data = SegmentationData(spoiled, batch_size=6, workers=0)
    with pytest.raises(DataError, match=r"train_002\.png cannot be read"):
        next(iter(data.train_dataloader()))


QUICK = (
    "data=camvid", "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
    "decoder.channels=[8,8,8,8,8]", "logger=none", "trainer=cpu", "trainer.max_epochs=1",
    "data.batch_size=2", "data.workers=0",
    "data.cache=off",
)  # fmt: skip


@pytest.fixture
def breaks_later(tmp_path, monkeypatch):
    """Break files after the first look has been taken, as a disk would."""
    root = fake_camvid(tmp_path / "data")
    real = select_usable

    def then_break(*arguments):
        found = real(*arguments)
        for name in ("train/train_002.png", "test/test_001.png"):
            (root / name).write_bytes(b"")
        return found

    monkeypatch.setattr("segmentation.build.training_data.select_usable", then_break)
    return root


def test_a_file_that_breaks_in_the_middle_is_named_and_stops_the_run(breaks_later, tmp_path):
    result = run("train.py", *QUICK, f"data.root={breaks_later}", f"hydra.run.dir={tmp_path}/run")
    assert result.returncode == 1
    assert "train_002.png cannot be read" in result.stderr
    assert "Traceback" not in result.stderr


def test_or_is_left_out_counted_and_said_at_the_end(breaks_later, tmp_path):
    result = succeed(
        "train.py", *QUICK, f"data.root={breaks_later}", "data.on_error=skip",
        f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    assert "2 files became unreadable during the run" in result.stdout
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["images"] == 2
    assert any("test_001.png cannot be read" in text for text in metrics["warnings"])
    with np.load(tmp_path / "run" / "per_image.npz") as kept:
        assert kept["name"].tolist() == ["test_000", "test_002"]
        assert kept["confusion"].shape == (2, 11, 11)
