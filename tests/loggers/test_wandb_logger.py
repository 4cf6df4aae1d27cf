"""W&B cannot stop or delay a run, and stays below the run directory."""

import http.server
import logging
import os
import shlex
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from logging_runs import KEY, configured, fit, warnings

from segmentation.loggers import wandb_logger
from segmentation.loggers.run_id import read_run_id, write_run_id
from segmentation.loggers.wandb_logger import WandbLogger, server_answers, sync_command

pytestmark = pytest.mark.usefixtures("stranger")


def open_run(folder: Path) -> WandbLogger:
    """Open a run, which starts W&B's own process."""
    logger = WandbLogger(folder)
    assert logger.experiment is logger.experiment
    return logger


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
    monkeypatch.setattr(wandb_logger, "server_answers", lambda url: pytest.fail(f"asks {url}"))
    caplog.set_level(logging.INFO, "segmentation")
    logger = open_run(tmp_path / "runs" / "one run")
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
    logger = open_run(tmp_path)
    assert not logger.online
    (warning,) = warnings(caplog)
    assert f"{closed_port} does not answer. To upload the run: wandb sync /" in warning


def test_a_key_and_a_refusal_make_an_offline_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", serve(status=401))
    logger = open_run(tmp_path)
    assert not logger.online
    assert "W&B is offline: CommError" in caplog.text


def test_a_key_that_is_none_makes_an_offline_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "too short")
    logger = open_run(tmp_path)
    assert not logger.online
    assert "WANDB_API_KEY invalid" in caplog.text


@pytest.mark.slow
def test_a_key_and_a_silent_server_make_an_offline_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_server: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", silent_server)
    logger = open_run(tmp_path)
    assert not logger.online


@pytest.mark.slow
def test_a_server_that_falls_silent_after_the_first_word_costs_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_server: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", silent_server)
    monkeypatch.setattr(wandb_logger, "server_answers", lambda url: True)
    logger = open_run(tmp_path)
    assert not logger.online
    assert logger.experiment.settings.init_timeout == wandb_logger.INIT_SECONDS
    logger.finish()
    wandb.teardown()


def test_who_answers(closed_port: str) -> None:
    assert server_answers(serve(status=200))
    assert server_answers(serve(status=503))
    assert not server_answers(closed_port)


def test_a_silent_server_does_not_answer(silent_server: str) -> None:
    assert not server_answers(silent_server, seconds=0.3)


@pytest.mark.parametrize(("mode", "disabled"), [("offline", False), ("disabled", True)])
def test_wandb_mode_is_honoured(
    mode: str, disabled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_logger, "server_answers", lambda url: pytest.fail(f"asks {url}"))
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
    assert "W&B is disabled for this run: OSError: no space left" in caplog.text


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
    assert f"not upload everything in time; to upload the rest: {sync_command(run)}" in caplog.text
    assert run.settings.finish_timeout == wandb_logger.FINISH_SECONDS


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
    wandb_logger.redirect_files(tmp_path)
    assert os.environ["WANDB_DATA_DIR"] == "/my/data"
    assert os.environ["WANDB_CACHE_DIR"] == str(tmp_path / "cache")
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"


def test_the_options_of_wandb_arrive(tmp_path: Path) -> None:
    options = ["logger.wandb.tags=[a,b]", "logger.wandb.project=p", "logger.wandb.group=g"]
    (logger,) = configured(tmp_path, *options)
    run = logger.experiment
    assert (run.project, run.group, run.tags, run.name) == ("p", "g", ("a", "b"), "run")


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
    assert read_run_id(tmp_path) is None
    write_run_id(tmp_path, "abc-1")
    assert read_run_id(tmp_path) == "abc-1"


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
