"""What an offline W&B run holds of image-level targets, read back from its file."""

import json
import subprocess
import sys

import pytest
import wandb
from commands import succeed
from fakes import fake_camvid, write_targets

from segmentation.loggers.wandb_tables import target_table
from segmentation.metrics.targets import CategoryScores, TargetScores, ValueScores


def test_a_row_for_each_score():
    nan = float("nan")
    table = target_table(
        TargetScores(
            CategoryScores(3, 0.5, 0.4, {"day": 0.4, "night": nan}),
            {"arousal": ValueScores(3, 0.1, nan, 0.0)},
        ).to_dict()
    )
    assert table.columns == ["column", "score", "value"]
    assert table.data == [
        ["day", "F1", 0.4], ["night", "F1", None], ["all", "macro F1", 0.4],
        ["all", "accuracy", 0.5], ["arousal", "RMSE", 0.1], ["arousal", "Pearson", None],
        ["arousal", "CCC", 0.0],
    ]  # fmt: skip


@pytest.mark.parametrize("segments", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_run_without_and_with_segmentation(tmp_path, segments):
    root = write_targets(fake_camvid(tmp_path / "data", {"train": 6, "val": 5}))
    wandb.teardown()  # settings are read once
    succeed(
        "train.py", "data=camvid", f"data.root={root}", "encoder=timm", "encoder.name=test_resnet",
        "encoder.weights=none", "decoder.channels=[8,8,8,8,8]", "augment=none", "trainer=cpu",
        "data.batch_size=2", "data.workers=0", "trainer.max_epochs=2", "logger=wandb",
        f"task.segmentation={str(segments).lower()}", "task.targets.category=scene",
        "task.targets.values=[brightness]", f"hydra.run.dir={tmp_path}/run",
        HOME=str(tmp_path), WANDB_MODE="offline",
    )  # fmt: skip
    wandb.teardown()
    (folder,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(folder)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    points = [
        point["history"]["item"] for line in lines if "history" in (point := json.loads(line))
    ]
    logged = {key for point in points for key in point}
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())["targets"]
    assert len([point for point in points if "val/macro_f1" in point]) == 2
    (best,) = [
        point for point in points if "best/val_macro_f1" in point or "best/val_miou" in point
    ]
    assert best["best/val_macro_f1"] == pytest.approx(metrics["category"]["macro_f1"])
    assert best["best/val_ccc_brightness"] == pytest.approx(metrics["values"]["brightness"]["ccc"])
    (path,) = [point["val/targets.path"] for point in points if "val/targets.path" in point]
    table = json.loads((folder / "files" / path).read_text())
    assert [row[:2] for row in table["data"]][-3:] == [
        ["brightness", "RMSE"], ["brightness", "Pearson"], ["brightness", "CCC"],
    ]  # fmt: skip
    assert ("val/miou" in logged) == ("val/classes.path" in logged) == segments
    assert any(key.startswith("val/masks") for key in logged) == segments
