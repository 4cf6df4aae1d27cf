"""MLflow: no failure of it stops a run, and a resumed run continues in the same MLflow run."""

import shutil
from pathlib import Path

import pytest
from logging_runs import configured, fit, warnings

from segmentation.loggers import fault_tolerant

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


@pytest.mark.slow
def test_mlflow_goes_on_after_its_database_was_locked_and_after_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setattr(fault_tolerant, "RETRY_SECONDS", 0.0)
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
