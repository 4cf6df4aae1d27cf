"""W&B, TensorBoard and MLflow log one training side by side."""

import csv
from pathlib import Path

import pytest
from commands import succeed
from fakes import fake_camvid
from logging_runs import records

KEYS = {"val/miou", "train/loss_step"}


@pytest.mark.slow
@pytest.mark.usefixtures("stranger")
def test_three_loggers_beside_the_csv_file(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    root = fake_camvid(tmp_path / "camvid", {"train": 4, "val": 2, "test": 2}, size=(48, 64))
    run = tmp_path / "run"
    succeed(
        "train.py", "data=camvid", f"data.root={root}", "encoder=timm", "encoder.name=test_resnet",
        "encoder.weights=none", "decoder.channels=[16,16,8,8,8]", "data.batch_size=2",
        "data.workers=0", "trainer=cpu", "trainer.max_epochs=1", "trainer.log_every_n_steps=1",
        "logger=[wandb,tensorboard,mlflow]", f"hydra.run.dir={run}", WANDB_MODE="offline",
    )  # fmt: skip

    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (miou,) = [float(row["val/miou"]) for row in rows if row["val/miou"]]

    (part,) = (run / "wandb").glob("offline-run-*")
    points = [record["history"]["item"] for record in records(part) if "history" in record]
    assert {point["val/miou"] for point in points if "val/miou" in point} == {miou}
    assert set().union(*points) >= KEYS

    events = accumulators.EventAccumulator(str(run / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) >= KEYS
    assert [point.value for point in events.Scalars("val/miou")] == pytest.approx([miou])

    client = mlflow.MlflowClient(f"sqlite:///{run / 'mlflow' / 'mlflow.db'}")
    logged = client.get_run((run / "mlflow" / "run_id").read_text().strip())
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics.keys() >= KEYS
    assert logged.data.metrics["val/miou"] == pytest.approx(miou)
