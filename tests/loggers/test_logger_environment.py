"""The services' environment variables win over our defaults, and typed options over both."""

from pathlib import Path

import pytest
from logging_runs import configured, fit

from segmentation.cli.sweep import check_sweep
from segmentation.errors import ConfigError
from segmentation.loggers.run_id import read_run_id
from segmentation.loggers.wandb_logger import WandbLogger

pytestmark = pytest.mark.usefixtures("stranger")


def opened(tmp_path: Path, *overrides: str):
    """Open the configured W&B run, offline, and return its settings."""
    (logger,) = configured(tmp_path, *overrides)
    assert isinstance(logger, WandbLogger)
    settings = logger.experiment.settings
    logger.finish()
    return settings


def test_wandbs_environment_wins_over_defaults_and_typed_options_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PROJECT": "theirs", "NAME": "named", "RUN_ID": "chosen1", "RUN_GROUP": "together",
        "TAGS": "a,b", "ENTITY": "team", "JOB_TYPE": "night", "MODE": "offline",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"WANDB_{name}", value)
    settings = opened(tmp_path)
    names = (settings.project, settings.run_name, settings.run_id, settings.run_group)
    assert names == ("theirs", "named", "chosen1", "together")
    assert (settings.entity, settings.run_job_type) == ("team", "night")
    assert list(settings.run_tags) == ["a", "b"]
    assert read_run_id(tmp_path / "run" / "wandb") == "chosen1"

    typed = ("project=mine", "name=own", "group=alone", "tags=[c]", "entity=me")
    settings = opened(tmp_path, *(f"logger.wandb.{word}" for word in typed))
    names = (settings.project, settings.run_name, settings.run_group, settings.entity)
    assert names == ("mine", "own", "alone", "me")
    assert list(settings.run_tags) == ["c"]


def test_without_an_environment_our_defaults_hold(tmp_path: Path) -> None:
    settings = opened(tmp_path)
    assert (settings.project, settings.run_name) == ("cityseg", "run")


def test_wandbs_directory_and_console_are_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "77")
    settings = opened(tmp_path)
    assert settings.init_timeout == 77
    assert list((tmp_path / "elsewhere" / "wandb").glob("offline-run-*"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["logger.wandb.project=a/b"], r"logger\.wandb\.project='a/b': Invalid project name"),
        (["logger.wandb.project=5"], r"logger\.wandb\.project=5: Input should be a valid string"),
        (["logger.wandb.tags=['']"], r"logger\.wandb\.tags=.*Tag at index 0 is empty"),
    ],
)
def test_names_that_wandb_refuses_are_found_at_the_start(
    overrides: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match=message):
        configured(tmp_path, *overrides)


def test_an_invalid_run_id_is_found_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_RUN_ID", "a/b")
    with pytest.raises(Exception, match="WANDB_RUN_ID='a/b': Run ID cannot contain"):
        configured(tmp_path)


def test_a_sweep_refuses_one_run_id_for_all_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    from hydra import compose, initialize_config_dir

    from segmentation.config import CONF

    monkeypatch.setenv("WANDB_RUN_ID", "one")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", return_hydra_config=True)
    with pytest.raises(ConfigError, match="every job of the sweep would be the same W&B run"):
        check_sweep(cfg)


def test_tensorboards_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "all"))
    (logger,) = configured(tmp_path, "logger=tensorboard")
    assert Path(logger.log_dir) == tmp_path / "all" / "run"
    typed = f"logger.tensorboard.directory={tmp_path}/typed"
    (logger,) = configured(tmp_path, "logger=tensorboard", typed)
    assert Path(logger.log_dir) == tmp_path / "typed" / "run"


@pytest.mark.slow
def test_mlflows_tracking_uri_and_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    store = f"sqlite:///{tmp_path / 'theirs.db'}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "streets")
    (logger,) = configured(tmp_path, "logger=mlflow")
    fit(logger)
    run = mlflow.MlflowClient(store).get_run(logger.version)
    experiment = mlflow.MlflowClient(store).get_experiment(run.info.experiment_id)
    assert experiment.name == "streets"
    typed = [
        f"logger.mlflow.tracking_uri=sqlite:///{tmp_path}/typed.db",
        "logger.mlflow.experiment=x",
    ]
    (logger,) = configured(tmp_path, "logger=mlflow", *typed)
    assert (logger._tracking_uri, logger.name) == (f"sqlite:///{tmp_path}/typed.db", "x")
