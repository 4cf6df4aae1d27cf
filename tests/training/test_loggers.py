"""W&B can neither stop nor delay a run; every logger stays below the run directory."""

import http.server
import logging
import os
import shlex
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
import wandb
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from pytorch_lightning.demos.boring_classes import BoringModel
from torch import Tensor

from segmentation.errors import ConfigError
from segmentation.training import loggers
from segmentation.training.loggers import WandbLogger, answers, sync_command

LOGGERS = Path(__file__).resolve().parents[2] / "conf" / "logger"
KEY = "0" * 40


@pytest.fixture(autouse=True)
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run as somebody whom no W&B server knows, in a home directory that is returned."""
    home = tmp_path / "home"
    home.mkdir()
    for name in os.environ:
        if name.startswith(("WANDB_", "XDG_", "MLFLOW_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "none"))
    wandb.teardown()  # settings are read once
    before = dict(os.environ)
    yield home
    wandb.teardown()
    os.environ.clear()
    os.environ.update(before)


class LoggingModel(BoringModel):
    """Lightning's smallest model, with a curve."""

    def training_step(self, batch: Tensor, batch_idx: int) -> dict:
        """Log the loss."""
        result = super().training_step(batch, batch_idx)
        self.log("train/loss", result["loss"])
        return result


def fit(*chosen: pl.loggers.Logger) -> pl.Trainer:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_train_batches=2,
        limit_val_batches=0,
        log_every_n_steps=1,
        logger=list(chosen),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(LoggingModel())
    return trainer


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings of this package."""
    records = [record for record in caplog.records if record.name.startswith("segmentation")]
    return [record.getMessage() for record in records if record.levelno >= logging.WARNING]


def open_timed(folder: Path) -> tuple[WandbLogger, float]:
    """Open a run, the start of W&B's own process included."""
    start = time.perf_counter()
    logger = WandbLogger(folder)
    assert logger.experiment is logger.experiment
    return logger, time.perf_counter() - start


def serve(status: int) -> str:
    """Start an HTTP server that answers everything with one status."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_without_credentials_the_run_is_offline_and_no_server_is_asked(
    tmp_path: Path, stranger: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(loggers, "answers", lambda url: pytest.fail(f"asks {url}"))
    caplog.set_level(logging.INFO, "segmentation")
    logger, seconds = open_timed(tmp_path / "runs" / "one run")
    assert seconds < 10  # 0.9 on an idle machine
    assert warnings(caplog) == []
    assert not logger.online
    assert "no credentials" in caplog.text
    command = shlex.split(sync_command(logger.experiment))
    assert sync_command(logger.experiment) in caplog.text
    assert command[:2] == ["wandb", "sync"]
    assert list(Path(command[2]).glob("run-*.wandb"))
    assert Path(command[2]).parent == tmp_path / "runs" / "one run" / "wandb"
    logger.finish()
    assert [path for path in stranger.rglob("*") if "wandb" in path.name] == []


def test_a_key_and_a_closed_port_make_an_offline_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    closed_port: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", closed_port)
    logger, seconds = open_timed(tmp_path)
    assert not logger.online
    assert seconds < 5
    (warning,) = warnings(caplog)
    assert f"{closed_port} does not answer. To upload the run: wandb sync /" in warning


def test_a_key_and_a_refusal_make_an_offline_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", serve(status=401))
    logger, seconds = open_timed(tmp_path)
    assert not logger.online
    assert seconds < 5
    assert "W&B is offline: CommError" in caplog.text


def test_a_key_that_is_none_makes_an_offline_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "too short")
    logger, seconds = open_timed(tmp_path)
    assert not logger.online
    assert seconds < 5
    assert "WANDB_API_KEY invalid" in caplog.text


@pytest.mark.slow
def test_a_key_and_a_silent_server_make_an_offline_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_server: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", silent_server)
    logger, seconds = open_timed(tmp_path)
    assert not logger.online
    assert seconds < 8


@pytest.mark.slow
def test_a_server_that_falls_silent_after_the_first_word_costs_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_server: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", silent_server)
    monkeypatch.setattr(loggers, "answers", lambda url: True)
    logger, seconds = open_timed(tmp_path)
    assert not logger.online
    assert seconds < 20
    start = time.perf_counter()
    logger.finish()
    wandb.teardown()
    assert time.perf_counter() - start < 5


def test_who_answers(closed_port: str) -> None:
    assert answers(serve(status=200))
    assert answers(serve(status=503))
    assert not answers(closed_port)


def test_a_silent_server_does_not_answer(silent_server: str) -> None:
    start = time.perf_counter()
    assert not answers(silent_server, seconds=0.3)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(("mode", "disabled"), [("offline", False), ("disabled", True)])
def test_wandb_mode_is_honoured(
    mode: str, disabled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loggers, "answers", lambda url: pytest.fail(f"asks {url}"))
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_MODE", mode)
    logger = WandbLogger(tmp_path)
    assert logger.experiment.disabled == disabled
    assert not logger.online


def test_training_goes_on_when_wandb_cannot_even_be_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    init = wandb.init

    def broken(mode: str, **options: object) -> object:
        if mode != "disabled":
            raise OSError("no space left")
        return init(mode=mode, **options)

    monkeypatch.setattr(wandb, "init", broken)
    trainer = fit(logger := WandbLogger(tmp_path))
    assert trainer.global_step == 2
    assert logger.experiment.disabled
    assert "W&B keeps nothing of this run: OSError: no space left" in caplog.text


def test_training_goes_on_when_wandb_fails_later_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = WandbLogger(tmp_path)

    def broken(*args: object, **options: object) -> None:
        raise wandb.errors.CommError("gone\nwith a long explanation")

    monkeypatch.setattr(type(logger.experiment), "log", broken)
    monkeypatch.setattr(type(logger.experiment.config), "update", broken)
    logger.log_hyperparams({"seed": 0})
    trainer = fit(logger)
    assert trainer.global_step == 2
    assert warnings(caplog) == ["W&B failed, the run goes on: CommError: gone"]


def test_a_late_upload_is_left_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = WandbLogger(tmp_path)

    def too_late(run: object, exit_code: int) -> None:
        raise TimeoutError

    run = logger.experiment
    with monkeypatch.context() as patch:
        patch.setattr(type(run), "finish", too_late)
        logger.finish()
    assert f"not taken everything in time: {sync_command(run)}" in caplog.text
    assert run.settings.finish_timeout == loggers.FINISH_SECONDS


def test_two_runs_of_a_process_keep_their_files_apart(tmp_path: Path) -> None:
    for name in ("first", "second"):
        logger = WandbLogger(tmp_path / name)
        logger.experiment.log({"table": wandb.Table(columns=["a"], data=[[1]])})
        logger.finish()
        assert logger.experiment.name == name
        staged = tmp_path / name / "wandb" / "cache" / "artifacts" / "staging"
        assert any(staged.iterdir())


def test_what_the_user_has_set_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DATA_DIR", "/my/data")
    loggers.keep_below(tmp_path)
    assert os.environ["WANDB_DATA_DIR"] == "/my/data"
    assert os.environ["WANDB_CACHE_DIR"] == str(tmp_path / "cache")
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"


def configured(tmp_path: Path, *overrides: str) -> list[pl.loggers.Logger]:
    """Compose the option files as train.py does and build what they name."""
    root = tmp_path / "conf"
    root.mkdir(exist_ok=True)
    if not (root / "logger").exists():
        (root / "logger").symlink_to(LOGGERS)
    (root / "root.yaml").write_text("defaults:\n  - logger: wandb\n")
    with initialize_config_dir(str(root), version_base="1.3"):
        chosen = compose("root", list(overrides)).logger
    assert OmegaConf.is_dict(chosen)
    return [instantiate(node, save_dir=tmp_path / "run") for node in chosen.values()]


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ([], ["WandbLogger"]),
        (["logger=none"], []),
        (["logger=tensorboard"], ["TensorBoardLogger"]),
        pytest.param(["logger=mlflow"], ["MLFlowLogger"], marks=pytest.mark.slow),  # its import
        (["logger=[wandb,tensorboard]"], ["WandbLogger", "TensorBoardLogger"]),
        (["logger=wandb", "logger.wandb.tags=[a,b]"], ["WandbLogger"]),
    ],
)
def test_the_group_builds(tmp_path: Path, overrides: list[str], names: list[str]) -> None:
    assert [type(logger).__name__ for logger in configured(tmp_path, *overrides)] == names


def test_the_options_of_wandb_arrive(tmp_path: Path) -> None:
    options = ["logger.wandb.tags=[a,b]", "logger.wandb.project=p", "logger.wandb.group=g"]
    (logger,) = configured(tmp_path, *options)
    run = logger.experiment
    assert (run.project, run.group, run.tags, run.name) == ("p", "g", ("a", "b"), "run")


def test_several_loggers_at_once(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    chosen = configured(tmp_path, "logger=[wandb,tensorboard]")
    fit(*chosen)
    found = events.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [point.step for point in found.Scalars("train/loss")] == [0, 1]
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb"))


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
    assert len(store.get_metric_history(logger.run_id, "train/loss")) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf", "home", "run"]


@pytest.mark.parametrize("package", ["tensorboard", "mlflow"])
def test_a_missing_package_is_named_with_its_extra(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"pip install -e '\.\[{package}\]'"):
        getattr(loggers, package)(tmp_path)


def test_only_rank_zero_opens_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl.utilities.rank_zero_only, "rank", 1)
    logger = WandbLogger(tmp_path)
    logger.log_metrics({"loss": torch.tensor(1.0).item()}, step=0)
    logger.log_hyperparams({"seed": 0})
    logger.finish()
    assert not (tmp_path / "wandb").exists()
