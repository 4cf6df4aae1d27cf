"""TensorBoard: no failure of it stops a run, and a resumed run continues its curves."""

import logging
import threading
import time
from pathlib import Path

import pytest
import pytorch_lightning as pl
from logging_runs import LoggingModel, configured, fit, warnings

from segmentation.loggers import fault_tolerant
from segmentation.loggers.checkpoint_sync import CheckpointSync

pytestmark = pytest.mark.usefixtures("stranger")


def test_tensorboard_goes_on_after_its_disk_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = pytest.importorskip("tensorboard.summary.writer.record_writer").RecordWriter
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.setattr(fault_tolerant, "RETRY_SECONDS", 0.0)
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
        CheckpointSync().on_load_checkpoint(trainer, LoggingModel(), {"global_step": first})
        for step in range(first, 4):
            logger.log_metrics({"loss": loss}, step)
        logger.save()
        logger.finalize("failed")
        time.sleep(
            1.1
        )  # files of one second are read in the order of a counter's text: 10 before 9
    found = events.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [(point.step, point.value) for point in found.Scalars("loss")] == [
        (0, 1.0), (1, 1.0), (2, 5.0), (3, 5.0),
    ]  # fmt: skip
