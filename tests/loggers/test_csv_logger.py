"""metrics.csv ends as one uninterrupted run would have left it, whatever happened on the way."""

import csv
import logging
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.demos.boring_classes import BoringModel, RandomDataset
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from segmentation.loggers import fault_tolerant
from segmentation.loggers.checkpoint_sync import CheckpointSync
from segmentation.loggers.csv_logger import CurveFile, ResumableCSVLogger
from segmentation.runs.curves import read_rows
from segmentation.training.resuming import settle

Row = dict[str, str]


def rows(folder: Path) -> list[Row]:
    """Read the file as anybody would, and check that the header is complete."""
    with (folder / "metrics.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert all(None not in row and None not in row.values() for row in table)
    return [{key: value for key, value in row.items() if value} for row in table]


def logged(
    folder: Path, *points: tuple[dict[str, float], int | None], first: int = 0
) -> ResumableCSVLogger:
    curves = ResumableCSVLogger(folder)
    curves.resume_from(first)
    for values, step in points:
        curves.log_metrics(values, step)
        curves.save()
    return curves


def test_without_interruptions_the_file_is_that_of_lightning(tmp_path: Path) -> None:
    points = [({"loss": 0.1 + 0.2}, 0), ({"loss": 1e-9, "lr": 3.0}, 1), ({"miou": float("nan")}, 1)]
    logged(tmp_path / "ours", *points)
    theirs = CSVLogger(tmp_path / "theirs", name="", version="")
    for values, step in points:
        theirs.log_metrics(dict(values), step)
        theirs.save()
    assert rows(tmp_path / "ours") == rows(tmp_path / "theirs")


def test_a_resumed_run_goes_on_and_repeated_steps_are_there_once(tmp_path: Path) -> None:
    logged(tmp_path, *[({"loss": float(step)}, step) for step in range(8)])
    logged(
        tmp_path, ({"loss": 50.0, "new": 1.0}, 5), ({"loss": 60.0}, 6), first=5
    )  # a column that the earlier start did not have
    found = [(row["step"], row["loss"], row.get("new")) for row in rows(tmp_path)]
    assert found == [
        ("0", "0.0", None), ("1", "1.0", None), ("2", "2.0", None), ("3", "3.0", None),
        ("4", "4.0", None), ("5", "50.0", "1.0"), ("6", "60.0", None),
    ]  # fmt: skip


def test_a_run_that_starts_afresh_keeps_nothing(tmp_path: Path) -> None:
    logged(tmp_path, ({"old": 1.0}, 0))
    logged(tmp_path, ({"loss": 2.0}, 0))
    assert rows(tmp_path) == [{"loss": "2.0", "step": "0"}]


def test_nothing_is_dropped_before_there_is_something_to_write(tmp_path: Path) -> None:
    logged(tmp_path, ({"loss": 1.0}, 0))
    curves = ResumableCSVLogger(tmp_path)  # killed again before it was told where to go on
    curves.save()
    curves.finalize("failed")
    assert rows(tmp_path) == [{"loss": "1.0", "step": "0"}]


def test_what_is_logged_without_a_step_stands_with_the_last(tmp_path: Path) -> None:
    logged(tmp_path, ({"loss": 1.0}, 6), ({"best": 0.5}, None))
    assert rows(tmp_path)[-1] == {"best": "0.5", "step": "6"}
    logged(tmp_path, ({"best": 0.5}, None), ({"again": 1.0}, None), first=7)
    assert [row["step"] for row in rows(tmp_path)] == ["6", "6", "6"]


def test_a_validation_that_is_repeated_adds_nothing(tmp_path: Path) -> None:
    logged(tmp_path, ({"miou": 0.5}, 3), ({"loss": 1.0}, 3))
    logged(tmp_path, ({"miou": 0.5}, 3), ({"loss": 2.0}, 4), ({"miou": 0.5}, 4), first=4)
    assert [(row["step"], row.get("miou")) for row in rows(tmp_path)] == [
        ("3", "0.5"), ("3", None), ("4", None), ("4", "0.5"),
    ]  # fmt: skip


def test_a_row_that_says_more_replaces_one_that_says_less(tmp_path: Path) -> None:
    logged(tmp_path, ({"loss": 1.0}, 0), ({"loss": 1.0, "speed": 9.0}, 0), ({"loss": 1.0}, 0))
    assert rows(tmp_path) == [{"loss": "1.0", "speed": "9.0", "step": "0"}]


@given(first=st.integers(0, 12), cut=st.integers(0, 200))
def test_any_cut_leaves_the_whole_rows_before_the_step(
    first: int, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("curves")
    logged(folder, *[({"loss": step / 7, "odd": 1.0}, step) for step in range(10)])
    path = folder / "metrics.csv"
    content = path.read_bytes()[:cut]
    path.write_bytes(content)
    whole = content.count(b"\n") - 1  # without the header
    logged(folder, ({"loss": 5.0}, 20), first=first)
    assert [row["step"] for row in rows(folder)] == [
        *(str(step) for step in range(min(max(whole, 0), first))), "20",
    ]  # fmt: skip


def test_a_header_that_grows_never_leaves_half_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged(tmp_path, ({"loss": 1.0}, 0))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(csv.DictWriter, "writerows", killed)
        with pytest.raises(KeyboardInterrupt):
            logged(tmp_path, ({"miou": 1.0}, 1), first=1)
    assert rows(tmp_path) == [{"loss": "1.0", "step": "0"}]


def test_an_outage_is_one_warning_and_what_was_missed_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fault_tolerant, "RETRY_SECONDS", 0.0)
    caplog.set_level(logging.INFO, "segmentation")
    curves = logged(tmp_path, ({"loss": 0.0}, 0), ({"loss": 1.0}, 1))
    written = CurveFile.save

    def half(file: CurveFile) -> None:
        with file.path.open("a") as end:
            end.write("9.9")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CurveFile, "save", half)
    for step in range(2, 5):
        curves.log_metrics({"loss": float(step)}, step)
        curves.save()
    monkeypatch.setattr(CurveFile, "save", written)
    curves.log_metrics({"loss": 5.0}, 5)
    curves.save()
    assert [row["loss"] for row in rows(tmp_path)] == [f"{step}.0" for step in range(6)]
    assert [record.getMessage() for record in caplog.records] == [
        "metrics.csv failed, the run goes on: OSError: [Errno 28] No space left on device",
        "metrics.csv is back, and what it missed is logged",
    ]


def test_an_outage_is_not_asked_about_at_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def broken(file: CurveFile) -> None:
        tries.append(1)
        raise OSError

    curves = ResumableCSVLogger(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(CurveFile, "save", broken)
        for step in range(50):
            curves.log_metrics({"loss": 1.0}, step)
            curves.save()
    assert len(tries) == 1
    curves.finalize("success")
    assert [row["step"] for row in rows(tmp_path)] == [str(step) for step in range(50)]


def test_a_file_that_was_removed_is_made_again_with_its_header(tmp_path: Path) -> None:
    curves = logged(tmp_path, ({"loss": 0.0}, 0))
    (tmp_path / "metrics.csv").unlink()
    curves.log_metrics({"loss": 1.0}, 1)
    curves.save()
    assert rows(tmp_path) == [{"loss": "1.0", "step": "1"}]


def test_no_file_has_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "none.csv") == []
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert read_rows(tmp_path / "other.csv") == []


class Seeded(BoringModel):
    """A model whose losses follow from the step alone."""

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss = super().training_step(batch, batch_idx)["loss"]
        value = torch.tensor(1.0 / (1 + self.trainer.global_step))
        self.log("train/loss", value, on_step=True, on_epoch=True, batch_size=1 + batch_idx)
        self.log("train/part", value, batch_size=1)
        return loss

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        settle(checkpoint)

    def on_train_epoch_end(self) -> None:
        self.log("train/epochs", float(self.current_epoch))

    def on_validation_epoch_end(self) -> None:
        self.log("val/miou", float(self.trainer.global_step))

    def train_dataloader(self) -> DataLoader:
        return DataLoader(RandomDataset(32, 4))

    val_dataloader = train_dataloader


class KilledError(Exception):
    """Stands for a process that ends here."""


class Kill(pl.Callback):
    """Save between two steps, then end as if killed: at once, or some time later."""

    def __init__(self, path: Path, saved_at: int, when: str) -> None:
        self.path, self.saved_at, self.when = path, saved_at, when

    def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
        if trainer.global_step == self.saved_at:
            trainer.save_checkpoint(self.path)
            self._die("saved")
        if trainer.global_step == self.saved_at + 1:
            self._die("later")

    def on_validation_end(self, trainer: pl.Trainer, *_: object) -> None:
        if trainer.global_step >= self.saved_at:
            self._die("validated")

    def _die(self, when: str) -> None:
        if when == self.when:
            raise KilledError


def fit(folder: Path, *callbacks: pl.Callback, ckpt: Path | None = None, every: int = 1) -> None:
    trainer = pl.Trainer(
        default_root_dir=folder, accelerator="cpu", max_epochs=3, log_every_n_steps=every,
        logger=[ResumableCSVLogger(folder)], num_sanity_val_steps=0, enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[*callbacks, LearningRateMonitor("step"), CheckpointSync(), ModelCheckpoint(
            folder, filename="last", monitor=None, save_on_train_epoch_end=True,
            enable_version_counter=False,
        )],
    )  # fmt: skip
    trainer.fit(Seeded(), ckpt_path=ckpt)


@pytest.fixture(scope="module", params=[1, 3])
def uninterrupted(request: pytest.FixtureRequest, tmp_path_factory) -> tuple[int, list[Row]]:
    folder = tmp_path_factory.mktemp("whole")
    fit(folder, every=request.param)
    found = rows(folder)
    assert [row["step"] for row in found if "val/miou" in row] == ["3", "7", "11"]
    return request.param, found


@pytest.mark.parametrize("when", ["saved", "later", "validated"])
@pytest.mark.parametrize("saved_at", [6, 7])
def test_a_run_that_was_killed_and_resumed_has_the_curves_of_one_that_was_not(
    uninterrupted: tuple[int, list[Row]], saved_at: int, when: str, tmp_path: Path
) -> None:
    every, expected = uninterrupted
    checkpoint = tmp_path / "mine.ckpt"
    with pytest.raises(KilledError):
        fit(tmp_path, Kill(checkpoint, saved_at, when), every=every)
    fit(tmp_path, ckpt=checkpoint, every=every)
    assert sorted(map(repr, rows(tmp_path))) == sorted(map(repr, expected))


def test_the_last_checkpoint_of_an_epoch_holds_no_more_than_was_logged(
    uninterrupted: tuple[int, list[Row]], tmp_path: Path
) -> None:
    every, expected = uninterrupted
    with pytest.raises(KilledError):
        fit(tmp_path, KillAfterSave(), every=every)
    fit(tmp_path, ckpt=tmp_path / "last.ckpt", every=every)
    assert sorted(map(repr, rows(tmp_path))) == sorted(map(repr, expected))


class KillAfterSave(pl.Callback):
    """End as the second epoch is about to be logged, after its checkpoint was written."""

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        save = trainer.save_checkpoint

        def save_and_die(*args: object, **options: object) -> None:
            save(*args, **options)
            if trainer.current_epoch == 1:
                raise KilledError

        trainer.save_checkpoint = save_and_die
