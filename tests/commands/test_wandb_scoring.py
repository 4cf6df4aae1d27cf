"""What an offline W&B run holds of a scoring, read back from its file."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from logging_runs import records
from made_scoring import made_scoring
from PIL import Image

from segmentation.commands import wandb_results
from segmentation.commands.wandb_results import content, log_evaluation, summary
from segmentation.loggers.wandb_logger import WandbLogger
from segmentation.runs.per_image_file import read_scored

pytestmark = pytest.mark.usefixtures("stranger")


def logged(folder: Path) -> tuple[Path, dict, dict]:
    """Log the scoring in a folder; return W&B's part, what it holds of keys and its summary."""
    logger = WandbLogger(folder / "run")
    log_evaluation(logger, folder, "test", step=7)
    logger.finish()
    (part,) = (folder / "run" / "wandb").glob("offline-run-*")
    points: dict = {}
    values: dict = {}
    for record in records(part):
        points |= record.get("history", {}).get("item", {})
        values |= record.get("summary", {}).get("update", {})
    return part, points, values


def test_scores_tables_charts_pictures_and_the_report(tmp_path: Path) -> None:
    metrics = made_scoring(tmp_path)
    part, points, values = logged(tmp_path)

    assert {key: values[f"test/{key}"] for key in summary(metrics)} == summary(metrics)
    assert values["test/miou"] == metrics["miou"]
    assert (values["test/miou_low"], values["test/miou_high"]) == (0.5, 0.75)
    assert values["test/boundary_iou"] == 0.375
    assert values["test/ece"] == 0.125
    assert points["trainer/global_step"] == 7

    def table(key: str) -> dict:
        return json.loads((part / "files" / points[f"test/{key}.path"]).read_text())

    road, sky, tram = table("classes")["data"]
    assert table("classes")["columns"] == [
        "class", "share of pixels", "IoU", "accuracy", "IoU low", "IoU high", "boundary IoU",
        "boundary F", "ECE",
    ]  # fmt: skip
    iou = pytest.approx(metrics["iou"]["road"])
    assert road == ["road", 0.5, iou, 0.725, 0.4, 0.7, 0.25, 0.25, 0.25]
    assert sky[4:6] == [0.3, 0.8]
    assert tram == ["tram", 0, None, None, None, None, None, None, None]
    assert table("iou_table")["data"] == [[one, metrics["iou"][one]] for one in ("road", "sky")]
    cells = {(row[0], row[1]): row[2] for row in table("confusion_truth_table")["data"]}
    assert cells["road", "road"] == 0.725
    assert cells["tram", "tram"] == 0
    assert len(table("confusion_prediction_table")["data"]) == 9
    lines = table("reliability_table")["data"]  # by hand: 300 and 100 pixels of 1000 each
    assert sorted(y for _, name, y in lines if name == "accuracy") == pytest.approx([0.4, 0.9])
    x = sorted({round(x, 4) for x, *_ in lines})
    assert x == pytest.approx([17 / 30, 0.95], abs=1e-4)

    assert points["test/worst_and_best.captions"] == [
        f"street_{place:02}: mIoU {miou:.1f}%" for place, miou in
        [(0, 33.3), (1, 37.9), (2, 42.9), (3, 48.1), (6, 66.7), (7, 73.9), (8, 81.8), (9, 90.5)]
    ]  # fmt: skip
    masks = points["test/worst_and_best.all_masks"]
    truth = np.asarray(Image.open(part / "files" / masks[1]["truth"]["path"]))
    assert set(np.unique(truth)) == {1}  # street_01 is all sky
    report = (part / "files" / points["test/report.path"]).read_text()
    assert report == (tmp_path / "report.html").read_text()


def names(folder: Path, metrics: dict) -> set[str]:
    return {key for part in content(folder, metrics) for key in part}


def test_a_large_report_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = made_scoring(tmp_path)
    assert "report" in names(tmp_path, metrics)
    monkeypatch.setattr(wandb_results, "MOST_REPORT", 10)
    assert "report" not in names(tmp_path, metrics)


def test_without_pictures_the_report_stays_on_disk_too(tmp_path: Path) -> None:
    metrics = made_scoring(tmp_path)
    logger = WandbLogger(tmp_path / "run", pictures=False)
    log_evaluation(logger, tmp_path, "test", step=7)
    logger.finish()
    (part,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    keys = {key for one in records(part) for key in one.get("history", {}).get("item", {})}
    assert {"test/classes", "test/iou_table"} <= {key.split(".")[0] for key in keys}
    assert not [key for key in keys if "report" in key or "worst" in key]
    media = {path.name for path in (part / "files" / "media").iterdir()}
    assert media == {"table"}
    assert {"report", "worst_and_best"} == names(tmp_path, metrics) - {
        key for one in content(tmp_path, metrics, pictures=False) for key in one
    }


@pytest.mark.parametrize("images", [1, 3, 5, 7])
def test_no_image_is_among_both_the_worst_and_the_best(
    images: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_scoring(tmp_path)
    scored = read_scored(tmp_path)
    fewer = replace(scored, names=scored.names[:images], confusion=scored.confusion[:images])
    monkeypatch.setattr(wandb_results, "masked_image", lambda example, *_: example.name)
    shown = wandb_results.worst_and_best(fewer, tmp_path)
    assert shown == [f"street_{place:02}" for place in range(images)]


def test_an_older_scoring_has_fewer_things(tmp_path: Path) -> None:
    made = made_scoring(tmp_path)
    old = ("miou", "pixel_accuracy", "mean_accuracy", "dice", "iou", "accuracy", "images", "split")
    metrics = {key: made[key] for key in old}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    with np.load(tmp_path / "per_image.npz") as kept:
        fewer = {key: kept[key] for key in ("name", "classes", "confusion")}
    np.savez(tmp_path / "per_image.npz", **fewer)
    for file in ("views.zip", "report.html"):
        (tmp_path / file).unlink()
    expected = {"classes", "iou", "confusion_truth", "confusion_prediction"}
    assert names(tmp_path, metrics) == expected
    assert summary(metrics) == {
        key: metrics[key] for key in ("miou", "pixel_accuracy", "mean_accuracy", "dice", "images")
    }


def test_scores_of_image_level_targets(tmp_path: Path) -> None:
    targets = {
        "category": {"images": 3, "accuracy": 0.5, "macro_f1": 0.4, "f1": {"day": 0.4}},
        "values": {"arousal": {"images": 3, "rmse": 0.1, "pearson": None, "ccc": 0.25}},
        "ccc": 0.25,
    }
    metrics = {"images": 3, "targets": targets}
    (only,) = content(tmp_path, metrics)
    assert ["arousal", "CCC", 0.25] in only["targets"].data
    assert summary(metrics) == {"images": 3, "accuracy": 0.5, "macro_f1": 0.4, "ccc": 0.25}


def test_a_failure_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made_scoring(tmp_path)
    (tmp_path / "per_image.npz").write_bytes(b"damaged")
    logged(tmp_path)
    assert "W&B failed, the run goes on: DataError" in caplog.text
