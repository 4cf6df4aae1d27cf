"""TensorBoard and MLflow: no failure of theirs stops a run, and a resumed run goes on."""

import logging
import shutil
import threading
from pathlib import Path

import pytest
import pytorch_lightning as pl
from logging_runs import LoggingModel, configured, fit, warnings

from segmentation.errors import ConfigError
from segmentation.loggers import forgiving, tensorboard_mlflow
from segmentation.loggers.checkpoint_sync import CurvesInStep

pytestmark = pytest.mark.usefixtures("stranger")


@pytest.mark.slow
def test_mlflow_writes_into_the_run_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    (logger,) = configured(tmp_path, "logger=mlflow")
    logger.log_hyperparams({"optimizer": {"lr": 0.1}})
    fit(logger)
    store = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'run' / 'mlflow' / 'mlflow.db'}")
    run = store.get_run(logger.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["optimizer/lr"] == "0.1"
    assert len(store.get_metric_history(logger.run_id, "train/loss")) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf", "home", "run"]


@pytest.mark.parametrize("package", ["tensorboard", "mlflow"])
def test_a_missing_package_is_named_with_its_extra(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"pip install -e '\.\[{package}\]'"):
        getattr(tensorboard_mlflow, package)(tmp_path)


def test_tensorboard_goes_on_after_its_disk_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = pytest.importorskip("tensorboard.summary.writer.record_writer").RecordWriter
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.setattr(forgiving, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # TensorBoard's thread dies loudly
    caplog.set_level(logging.INFO, "segmentation")
    (logger,) = configured(tmp_path, "logger=tensorboard")
    write = writer.write

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def disk(step: int) -> None:
        monkeypatch.setattr(writer, "write", {1: full, 2: full}.get(step, write))

    assert fit(logger, at_step=disk).global_step == 4
    found = events.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [point.step for point in found.Scalars("train/loss")] == [0, 1, 2, 3]
    assert [record.getMessage() for record in caplog.records if "segmentation" in record.name] == [
        "TensorBoard failed, the run goes on: OSError: [Errno 28] No space left on device",
        "TensorBoard is back, and what it missed is logged",
    ]


def test_tensorboard_that_cannot_even_begin_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (logger,) = configured(tmp_path, "logger=tensorboard")
    (tmp_path / "run").write_text("in the way")
    assert fit(logger).global_step == 4
    (warning,) = warnings(caplog)
    assert warning.startswith("TensorBoard failed, the run goes on: ")


def test_tensorboard_leaves_out_steps_that_come_again(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for first, loss in ((0, 1.0), (2, 5.0)):
        (logger,) = configured(tmp_path, "logger=tensorboard")
        assert logger.experiment  # Lightning asks for it before it loads the checkpoint
        trainer = pl.Trainer(logger=[logger], accelerator="cpu", enable_checkpointing=False)
        CurvesInStep().on_load_checkpoint(trainer, LoggingModel(), {"global_step": first})
        for step in range(first, 4):
            logger.log_metrics({"loss": loss}, step)
        logger.save()
        logger.finalize("failed")
    found = events.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [(point.step, point.value) for point in found.Scalars("loss")] == [
        (0, 1.0), (1, 1.0), (2, 5.0), (3, 5.0),
    ]  # fmt: skip


@pytest.mark.slow
def test_mlflow_goes_on_after_its_database_was_locked_and_after_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setattr(forgiving, "RETRY_SECONDS", 0.0)
    (logger,) = configured(tmp_path, "logger=mlflow")
    log_batch = mlflow.MlflowClient.log_batch

    def locked(*_: object, **__: object) -> None:
        raise mlflow.MlflowException("database is locked\n[SQL: INSERT]")

    def database(step: int) -> None:
        monkeypatch.setattr(mlflow.MlflowClient, "log_batch", {1: locked}.get(step, log_batch))

    assert fit(logger, at_step=database).global_step == 4
    history = logger.experiment.get_metric_history(logger.run_id, "train/loss")
    assert [point.step for point in history] == [0, 1, 2, 3]
    assert warnings(caplog) == [
        "MLflow failed, the run goes on: MlflowException: database is locked"
    ]
    (again,) = configured(tmp_path, "logger=mlflow")
    again.log_hyperparams({"trainer": {"max_epochs": 9}})
    again.log_metrics({"train/loss": 0.0}, 4)
    assert again.version == logger.version
    assert len(again.experiment.get_metric_history(logger.run_id, "train/loss")) == 5
    shutil.rmtree(tmp_path / "run" / "mlflow")
    (new,) = configured(tmp_path, "logger=mlflow")
    assert new.version is None


@pytest.mark.slow
def test_mlflow_whose_folder_is_removed_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (logger,) = configured(tmp_path, "logger=mlflow")
    folder = tmp_path / "run" / "mlflow"
    trainer = fit(logger, at_step=lambda step: step == 2 and shutil.rmtree(folder))
    assert trainer.global_step == 4
    assert len([text for text in warnings(caplog) if text.startswith("MLflow failed")]) == 1
