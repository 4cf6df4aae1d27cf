"""Going on with a run, and repeating one, through train.py."""

import json
import os
import shutil
from pathlib import Path
from unittest import mock

import pytest
import torch
import yaml
from commands import run, succeed
from fakes import fake_camvid
from filelock import FileLock
from safetensors.torch import load_file

from segmentation.training.module import TrainingModule

SMALL = [
    "data=camvid", "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
    "decoder.channels=[16,16,8,8,8]", "decoder.dropout=0.2", "data.workers=0",
    "trainer.log_every_n_steps=1", "logger=none",
    "callbacks=ema", "trainer.max_epochs=3",
]  # fmt: skip


class PowerCutError(Exception):
    """What nothing is prepared for."""


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    root = fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 8, "val": 2, "test": 3})
    return [*SMALL, f"data.root={root}"]


@pytest.fixture(scope="module")
def whole(typed, tmp_path_factory):
    """A run of three epochs of four batches that nothing interrupted."""
    directory = tmp_path_factory.mktemp("runs") / "whole"
    succeed("train.py", *typed, "data.batch_size=2", f"hydra.run.dir={directory}")
    return directory


@pytest.fixture(scope="module")
def cut(typed, tmp_path_factory):
    """The same run as a power cut in its second epoch has left it."""
    directory = tmp_path_factory.mktemp("runs") / "cut"
    with breaking_at(6), pytest.raises(PowerCutError):
        run("train.py", *typed, "data.batch_size=2", "checkpoint_minutes=0.00001",
            f"hydra.run.dir={directory}")  # fmt: skip
    return directory


def breaking_at(step):
    """Make the training step with this number, counted from 0, the last one to begin."""
    original, steps = TrainingModule.training_step, iter(range(10**6))

    def training_step(self, batch, batch_idx):
        if next(steps) == step:
            raise PowerCutError
        return original(self, batch, batch_idx)

    return mock.patch.object(TrainingModule, "training_step", training_step)


@pytest.fixture
def begun(cut, tmp_path):
    return Path(shutil.copytree(cut, tmp_path / "begun"))


def metrics(directory):
    return json.loads((directory / "metrics.json").read_text())


def weights(directory):
    return load_file(directory / "model" / "model.safetensors")


def assert_same_run(one, other):
    for name, value in weights(one).items():
        assert torch.equal(value, weights(other)[name]), name
    for key in ("iou", "miou", "score", "epoch"):
        assert metrics(one)[key] == metrics(other)[key]


def last(directory):
    return torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)


def test_a_run_cut_off_within_an_epoch_ends_as_if_it_had_not_been(whole, begun):
    assert not (begun / "metrics.json").exists()
    assert last(begun)["global_step"] == 6  # an epoch has four
    result = succeed("train.py", f"resume={begun}")  # its directory was moved, too
    assert "resumes from" in result.stdout
    assert_same_run(begun, whole)
    assert last(begun)["global_step"] == last(whole)["global_step"] == 12


@pytest.mark.slow
def test_each_step_is_in_the_curves_once(whole, begun):
    succeed("train.py", f"resume={begun}")
    curves = [(one / "metrics.csv").read_text().splitlines() for one in (begun, whole)]
    (header, *rows), (expected, *others) = curves
    assert header == expected
    # What a clock has measured, and the mean of an epoch, which is that of the part after the cut.
    free = {header.split(",").index(f"train/{name}") for name in ("images_per_s", "loss_epoch")}
    for one, other in zip(rows, others, strict=True):
        cells = enumerate(zip(one.split(","), other.split(","), strict=True))
        assert [pair for place, pair in cells if pair[0] != pair[1] and place not in free] == []


def test_a_finished_run_stays_as_it_is(whole):
    before = (whole / "metrics.json").read_bytes()
    with breaking_at(0):
        result = succeed("train.py", f"resume={whole}")
    assert "is finished already" in result.stdout
    assert (whole / "metrics.json").read_bytes() == before


def test_a_run_killed_while_it_was_scored_is_scored(whole, tmp_path):
    directory = Path(shutil.copytree(whole, tmp_path / "run"))
    (directory / "metrics.json").unlink()
    shutil.rmtree(directory / "model")
    with breaking_at(0):
        succeed("train.py", f"resume={directory}")
    assert_same_run(directory, whole)


@pytest.mark.slow
def test_a_run_without_a_checkpoint_starts_afresh(whole, begun):
    shutil.rmtree(begun / "checkpoints")
    result = succeed("train.py", f"resume={begun}")
    assert "resumes from" not in result.stdout
    assert_same_run(begun, whole)


def test_what_a_run_is_cannot_change_and_how_it_is_carried_out_can(typed, begun):
    for other in ("encoder=resnet34", "data.batch_size=4", "loss=dice", "seed=1"):
        result = run("train.py", f"resume={begun}", other)
        assert result.returncode == 1
        key = other.partition("=")[0]
        assert f"{key} can't change with resume=" in result.stderr
        assert "Traceback" not in result.stderr
    succeed("train.py", *typed, "data.batch_size=2", f"resume={begun}", "trainer.max_epochs=2")
    assert metrics(begun)["epoch"] <= 2
    said = metrics(begun)["warnings"]
    assert any("trainer.max_epochs is 2 now, and was 3" in one for one in said)
    assert yaml.safe_load((begun / "config.yaml").read_text())["trainer"]["max_epochs"] == 2


@pytest.mark.slow
def test_auto_finds_the_newest_unfinished_run_of_the_same_configuration(
    typed, whole, cut, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    same = [*typed, "data.batch_size=2", "checkpoint_minutes=0.00001"]
    for age, name in enumerate(("older", "newer", "done", "other")):
        copy = Path(shutil.copytree(cut, tmp_path / "runs" / name))
        os.utime(copy / "config.yaml", (0, 1000 + age))
    shutil.copy(whole / "metrics.json", tmp_path / "runs" / "done")
    other = tmp_path / "runs" / "other" / "config.yaml"
    other.write_text(other.read_text().replace("seed: 0", "seed: 1"))
    os.utime(other, (0, 2000))
    succeed("train.py", *same, "resume=auto")
    assert_same_run(tmp_path / "runs" / "newer", whole)
    with FileLock(tmp_path / "runs" / "older" / "run.lock"):  # somebody works there
        result = succeed("train.py", *same, "trainer.max_epochs=1", "resume=auto")
    assert "a new one begins" in result.stdout + result.stderr
    assert len(list((tmp_path / "runs").iterdir())) == 5


def test_two_processes_do_not_share_a_run(begun):
    with FileLock(begun / "run.lock"):
        result = run("train.py", f"resume={begun}")
    assert result.returncode == 1
    assert "another process trains in" in result.stderr


def test_what_is_no_run_is_said(tmp_path, typed, whole):
    for key in ("resume", "rerun"):
        result = run("train.py", f"{key}={tmp_path}", *typed, f"hydra.run.dir={tmp_path}/new")
        assert result.returncode == 1 or key == "resume"
    result = run("train.py", f"resume={tmp_path}/nothing")
    assert "there is no run in" in result.stderr
    assert "Traceback" not in result.stderr
    result = run("train.py", f"resume={whole}", f"rerun={whole}")
    assert "type one of them" in result.stderr


def test_a_run_that_is_repeated_gives_the_same(whole, tmp_path):
    succeed("train.py", f"rerun={whole}", f"hydra.run.dir={tmp_path}/again")
    assert_same_run(tmp_path / "again", whole)
    assert metrics(tmp_path / "again")["rerun_of"] == {"run": str(whole), "differs_in": []}


@pytest.mark.parametrize(
    "most", [pytest.param(4, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 0]
)
def test_a_batch_too_large_for_the_memory_goes_in_parts(typed, tmp_path, most):
    original = TrainingModule.training_step
    sizes = []

    def training_step(self, batch, batch_idx):
        sizes.append(len(batch["name"]))
        if sizes[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, batch, batch_idx)

    directory = tmp_path / "run"
    with mock.patch.object(TrainingModule, "training_step", training_step):
        result = run("train.py", *typed, "data.batch_size=auto", "trainer.max_epochs=1",
                     f"hydra.run.dir={directory}")  # fmt: skip
    if not most:
        assert result.returncode == 1
        assert "out of memory with a batch of one image" in result.stderr
        return
    assert result.returncode == 0, result.stderr
    parts = 8 // most
    assert sizes[-parts:] == [most] * parts
    assert last(directory)["global_step"] == 1  # eight images are one step
    assert json.loads((directory / "environment.json").read_text())["parts"] == parts
    assert any("in 8 parts" in one or f"in {parts} parts" in one
               for one in metrics(directory)["warnings"])  # fmt: skip


def test_out_of_memory_with_a_batch_size_of_ones_own_says_what_to_type(typed, tmp_path):
    def training_step(self, batch, batch_idx):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with mock.patch.object(TrainingModule, "training_step", training_step):
        result = run("train.py", *typed, "data.batch_size=2", f"hydra.run.dir={tmp_path}/run")
    assert result.returncode == 1
    assert "data.batch_size=auto" in result.stderr


def test_what_is_there_is_never_written_over(whole, begun, tmp_path):
    result = run("train.py", f"rerun={whole}", f"hydra.run.dir={begun}")
    assert result.returncode == 1
    assert "already holds a run" in result.stderr
    result = run("train.py", f"resume={begun}", f"hydra.run.dir={tmp_path}/elsewhere")
    assert result.returncode == 1
    assert "drop hydra.run.dir=" in result.stderr
    assert not (tmp_path / "elsewhere" / "config.yaml").exists()


@pytest.mark.slow
def test_a_lack_of_memory_in_the_middle_costs_no_checkpoint(typed, tmp_path):
    original = TrainingModule.training_step

    def training_step(self, batch, batch_idx):
        if self.current_epoch == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, batch, batch_idx)

    directory = tmp_path / "run"
    with mock.patch.object(TrainingModule, "training_step", training_step):
        result = run("train.py", *typed, "data.batch_size=auto", f"hydra.run.dir={directory}")
    assert result.returncode == 1
    assert "in the middle of training" in result.stderr
    assert last(directory)["global_step"] == 1
    succeed("train.py", f"resume={directory}")


@pytest.mark.slow
def test_best_weights_that_were_damaged_are_said(begun):
    best = begun / "checkpoints" / "best.ckpt"
    content = bytearray(best.read_bytes())
    content[len(content) // 2] ^= 255
    best.write_bytes(content)
    with mock.patch("segmentation.training.checkpoints.BestCheckpoint._save_topk_checkpoint"):
        result = run("train.py", f"resume={begun}")
    assert result.returncode == 1
    assert "best.ckpt is damaged" in result.stderr
