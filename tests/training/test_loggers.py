"""No logger can stop a run; W&B cannot delay it; every logger stays below the run directory."""

import http.server
import logging
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytorch_lightning as pl
import wandb
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.demos.boring_classes import BoringModel
from torch import Tensor
from wandb_server import ImitationServer, imitation_server

from segmentation.build_trainer import build_loggers
from segmentation.errors import ConfigError
from segmentation.training import forgiving, local_loggers, loggers
from segmentation.training.in_step import CurvesInStep
from segmentation.training.loggers import WandbLogger, answers, sync_command

ROOT = Path(__file__).resolve().parents[2]
LOGGERS = ROOT / "conf" / "logger"
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
    monkeypatch.setattr(wandb, "run", None)  # of an earlier test: W&B would not log in beside it
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


def fit(*chosen: pl.loggers.Logger, at_step: Callable[[int], None] | None = None) -> pl.Trainer:
    """Train four steps; `at_step` is called before each."""

    class AtStep(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
            if at_step is not None:
                at_step(trainer.global_step)

    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_train_batches=4,
        callbacks=[AtStep()],
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
    assert seconds < 20  # 0.9 on an idle machine
    assert warnings(caplog) == []
    assert not logger.online
    assert "no credentials" in caplog.text
    command = shlex.split(sync_command(logger.experiment))
    assert sync_command(logger.experiment) in caplog.text
    assert command == ["wandb", "sync", str(tmp_path / "runs" / "one run" / "wandb")]
    assert list(Path(command[2]).glob("offline-run-*/run-*.wandb"))
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
    assert seconds < 10
    (warning,) = warnings(caplog)
    assert f"{closed_port} does not answer. To upload the run: wandb sync /" in warning


def test_a_key_and_a_refusal_make_an_offline_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", serve(status=401))
    logger, seconds = open_timed(tmp_path)
    assert not logger.online
    assert seconds < 10
    assert "W&B is offline: CommError" in caplog.text


def test_a_key_that_is_none_makes_an_offline_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "too short")
    logger, seconds = open_timed(tmp_path)
    assert not logger.online
    assert seconds < 10
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
    assert trainer.global_step == 4
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
    assert trainer.global_step == 4
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


def group(tmp_path: Path, *overrides: str) -> DictConfig:
    """Compose the option files as train.py does."""
    root = tmp_path / "conf"
    root.mkdir(exist_ok=True)
    if not (root / "logger").exists():
        (root / "logger").symlink_to(LOGGERS)
    (root / "root.yaml").write_text("defaults:\n  - logger: wandb\n")
    with initialize_config_dir(str(root), version_base="1.3"):
        chosen = compose("root", list(overrides)).logger
    assert OmegaConf.is_dict(chosen)
    return chosen


def configured(tmp_path: Path, *overrides: str) -> list[pl.loggers.Logger]:
    """Build what the option files name."""
    chosen = group(tmp_path, *overrides).values()
    return [instantiate(node, save_dir=tmp_path / "run") for node in chosen]


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ([], ["WandbLogger"]),
        (["logger=none"], []),
        (["logger=tensorboard"], ["TensorboardLogger"]),
        pytest.param(["logger=mlflow"], ["MlflowLogger"], marks=pytest.mark.slow),  # its import
        (["logger=[wandb,tensorboard]"], ["WandbLogger", "TensorboardLogger"]),
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
    assert [point.step for point in found.Scalars("train/loss")] == [0, 1, 2, 3]
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
    assert len(store.get_metric_history(logger.run_id, "train/loss")) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf", "home", "run"]


@pytest.mark.parametrize("package", ["tensorboard", "mlflow"])
def test_a_missing_package_is_named_with_its_extra(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"pip install -e '\.\[{package}\]'"):
        getattr(local_loggers, package)(tmp_path)


@pytest.mark.parametrize(
    "environment",
    [{"LOCAL_RANK": "1"}, {"NODE_RANK": "1"}, {"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}],
)
def test_only_rank_zero_logs(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pl.utilities.rank_zero_only, "rank", 0)  # as before the trainer is made
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    chosen = build_loggers(group(tmp_path, "logger=[wandb,tensorboard,mlflow]"), tmp_path / "run")
    assert len(chosen) == 4
    for logger in chosen:
        logger.log_hyperparams({"seed": 0})
        logger.log_metrics({"loss": 1.0}, step=0)
        logger.save()
        logger.finalize("success")
        if isinstance(logger, WandbLogger):
            logger.finish()
    assert not (tmp_path / "run").exists()


def sync(command: str, server: ImitationServer) -> str:
    """Do what a message says to type; return what that prints."""
    words = shlex.split(command)
    assert words[0] == "wandb"
    done = subprocess.run(
        [sys.executable, "-m", *words],
        env={**os.environ, "WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY},
        cwd=os.environ["HOME"], capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stderr


def run_in(folder: Path, steps: range) -> WandbLogger:
    """Log some steps as a start of the run in that folder does, and end."""
    logger = WandbLogger(folder)
    for step in steps:
        logger.log_metrics({"loss": float(step)}, step)
    logger.finish()
    return logger


def online(monkeypatch: pytest.MonkeyPatch, server: ImitationServer) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", server.url)


def test_a_resumed_run_goes_on_in_its_wandb_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with imitation_server() as server:
        online(monkeypatch, server)
        first = run_in(tmp_path, range(4))
        second = run_in(tmp_path, range(2, 6))  # two steps come again after a kill
        other = run_in(tmp_path / "other", range(1))
    kept = (tmp_path / "wandb" / "run_id").read_text().strip()
    assert first.experiment.id == second.experiment.id == kept != other.experiment.id
    assert server.runs[kept].curve("loss") == [
        (step, float(step)) for step in [0, 1, 2, 3, 2, 3, 4, 5]
    ]
    assert server.runs[kept].own_steps() == list(range(8))  # none may repeat


@pytest.mark.slow
def test_one_command_uploads_the_offline_parts_of_a_run_as_one(tmp_path: Path) -> None:
    run_in(tmp_path, range(4))
    time.sleep(1.1)  # W&B names a part by the second it begins in
    last = run_in(tmp_path, range(2, 6))
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 2
    with imitation_server() as server:
        sync(sync_command(last.experiment), server)
        assert "No runs to sync" in sync(sync_command(last.experiment), server)
    (run,) = server.runs.values()
    assert [step for step, _ in run.curve("loss")] == [0, 1, 2, 3, 2, 3, 4, 5]
    assert run.own_steps() == list(range(8))


@pytest.mark.slow
@pytest.mark.parametrize("begun", [True, False])  # whether anything was on disk by the kill
def test_a_part_that_was_cut_off_by_a_kill_does_not_keep_sync_from_the_rest(
    begun: bool, tmp_path: Path
) -> None:
    run_in(tmp_path, range(200))
    wandb.teardown()
    (log,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    os.truncate(log, log.stat().st_size // 2 if begun else 7)
    time.sleep(1.1)
    last = run_in(tmp_path, range(50, 65))
    assert log.exists() == begun
    with imitation_server() as server:
        assert "ERROR" not in sync(sync_command(last.experiment), server)
    (run,) = server.runs.values()
    steps = [step for step, _ in run.curve("loss")]
    assert steps[-15:] == list(range(50, 65))
    assert steps[:-15] == list(range(len(steps) - 15))
    assert (len(steps) > 15) == begun


@pytest.mark.slow
def test_a_server_that_goes_away_in_mid_run_costs_nothing_that_sync_does_not_bring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loggers, "FINISH_SECONDS", 2.0)
    with imitation_server() as server:
        online(monkeypatch, server)
        logger = WandbLogger(tmp_path)

        def go_away(step: int) -> None:
            if step == 2:
                server.shutdown()
                server.server_close()

        trainer = fit(logger, at_step=go_away)
        logger.finish()
    assert trainer.global_step == 4
    (warning,) = warnings(caplog)
    with imitation_server() as again:
        again.runs = server.runs
        sync(warning.partition("in time: ")[2], again)
    (run,) = again.runs.values()
    assert {step for step, _ in run.curve("train/loss")} == {0, 1, 2, 3}


@pytest.mark.slow
def test_the_death_of_the_process_that_writes_for_wandb_opens_a_further_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(forgiving, "RETRY_SECONDS", 0.0)
    logger = WandbLogger(tmp_path)

    def lose(step: int) -> None:
        if step == 2:
            raise_once = [ConnectionResetError("Connection lost")]
            log = type(logger.experiment).log

            def lost(run: object, *args: object, **options: object) -> None:
                if raise_once:
                    raise raise_once.pop()
                log(run, *args, **options)

            monkeypatch.setattr(type(logger.experiment), "log", lost)

    first = logger.experiment.id
    time.sleep(1.1)
    fit(logger, at_step=lose)
    logger.finish()
    assert warnings(caplog) == [
        "W&B failed, the run goes on: ConnectionResetError: Connection lost"
    ]
    assert logger.experiment.id == first
    with imitation_server() as server:
        sync(sync_command(logger.experiment), server)
    (run,) = server.runs.values()
    assert {step for step, _ in run.curve("train/loss")} == {0, 1, 2, 3}


def test_the_group_of_a_sweep_and_the_id_of_an_agent_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_RUN_GROUP", "sweep-7")
    monkeypatch.setenv("WANDB_RUN_ID", "from-agent")
    (logger,) = configured(tmp_path)
    assert (logger.experiment.group, logger.experiment.id) == ("sweep-7", "from-agent")
    monkeypatch.delenv("WANDB_RUN_ID")  # resumed by hand
    (logger,) = configured(tmp_path, "logger.wandb.group=mine")
    assert (logger.experiment.group, logger.experiment.id) == ("mine", "from-agent")


@pytest.mark.parametrize("damaged", ["", "../../etc", "a b", "x" * 99])
def test_a_damaged_id_is_replaced(damaged: str, tmp_path: Path) -> None:
    (tmp_path / "run_id").write_text(damaged)
    assert loggers.known_id(tmp_path) is None
    loggers.keep_id(tmp_path, "abc-1")
    assert loggers.known_id(tmp_path) == "abc-1"


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


def test_no_secret_is_printed_or_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture, closed_port: str,
) -> None:  # fmt: skip
    key = "c0ffee" * 6 + "abcd"
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("WANDB_BASE_URL", closed_port.replace("//", "//me:geheim@"))
    logger = WandbLogger(tmp_path)

    def refused(*_: object, **__: object) -> None:
        raise ConnectionError(f"https://me:geheim@host refuses {key}")

    monkeypatch.setattr(type(logger.experiment), "log", refused)
    logger.log_metrics({"loss": 1.0}, 0)
    logger.finish()
    wandb.teardown()
    printed = capfd.readouterr()
    assert "W&B failed" in caplog.text
    texts = [caplog.text, printed.out, printed.err]
    texts += [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    for text in texts:
        assert key not in text
        assert "geheim" not in text
