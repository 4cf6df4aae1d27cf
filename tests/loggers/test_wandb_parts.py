"""A W&B run that goes on: its parts, and how they come to a server."""

import os
import shlex
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import wandb
from logging_runs import fit, online, run_in, sync, warnings
from wandb_server import imitation_server

from segmentation.loggers import fault_tolerant, wandb_logger
from segmentation.loggers.wandb_logger import WandbLogger, sync_command

pytestmark = pytest.mark.usefixtures("stranger")


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
    monkeypatch.setattr(wandb_logger, "FINISH_SECONDS", 2.0)
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
        sync(warning.partition("the rest: ")[2], again)
    (run,) = again.runs.values()
    assert {step for step, _ in run.curve("train/loss")} == {0, 1, 2, 3}


@pytest.mark.slow
def test_the_death_of_the_process_that_writes_for_wandb_opens_a_further_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fault_tolerant, "RETRY_SECONDS", 0.0)
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


def test_a_shared_folder_is_not_synced_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    for name in ("offline-run-1-mine", "offline-run-2-other", "offline-run-3-mine"):
        (tmp_path / "wandb" / name / "files").mkdir(parents=True)
    run = SimpleNamespace(
        dir=str(tmp_path / "wandb" / "offline-run-3-mine" / "files"), offline=True, id="mine"
    )
    parts = [str(tmp_path / "wandb" / f"offline-run-{part}-mine") for part in (1, 3)]
    assert shlex.split(sync_command(run)) == ["wandb", "sync", *parts]
