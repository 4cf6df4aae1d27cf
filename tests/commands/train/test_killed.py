"""A run that is killed with -9 ten times ends as one that nobody touched."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from commands import succeed
from conftest import ROOT
from fakes import fake_camvid
from safetensors.torch import load_file

from segmentation.training.checkpoints import damage

KILLS = 10
PATIENCE = 300.0
"""Seconds that a start, and ten batches, may take on a busy machine."""
CLOCKS = ("train/images_per_s",)


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    root = fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 20, "val": 3, "test": 3})
    return [
        "data=camvid", f"data.root={root}", "data.batch_size=2", "data.workers=1",
        "augment=strong", "augment.mix=cutmix", "data.crop=[32,32]",
        "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
        "encoder.freeze_epochs=1", "decoder.channels=[8,8,8,8,8]", "decoder.dropout=0.2",
        "callbacks=ema", "trainer.accelerator=cpu", "trainer.max_epochs=6",
        "trainer.log_every_n_steps=1", "logger=none", "checkpoint_minutes=0.00001",
    ]  # fmt: skip


class Child:
    """A train.py of its own, whose files are watched."""

    def __init__(self, directory: Path, log: Path, *arguments: str) -> None:
        self.checkpoints = directory / "checkpoints"
        self.before = self._stamp()
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "train.py"), *arguments],
                stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip

    def _stamp(self) -> int:
        try:
            return (self.checkpoints / "last.ckpt").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def wait_for_checkpoints(self, count: int) -> None:
        for _ in range(count):
            self._until(lambda: self._stamp() not in (0, self.before))
            self.before = self._stamp()

    def wait_for_a_half_written_one(self) -> None:
        self._until(lambda: any(self.checkpoints.glob("last.ckpt.*.partial")))

    def _until(self, condition) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, "it ended by itself"
            assert time.monotonic() < end
            time.sleep(0.0002)

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


def left_by(checkpoints):
    """Say what a kill has left: of a whole checkpoint the step, of half a one the size."""
    said = []
    for path in sorted(checkpoints.iterdir()):
        wrong = damage(path)
        step = wrong or torch.load(path, weights_only=True)["global_step"]
        said.append(f"{path.name} " + (f"{path.stat().st_size} bytes" if wrong else f"step {step}"))
    return ", ".join(said)


def curves(directory):
    """Return what metrics.csv says of each step, without what a clock has measured."""
    with (directory / "metrics.csv").open() as file:
        return [
            {key: value for key, value in row.items() if value and key not in CLOCKS}
            for row in csv.DictReader(file)
        ]


def metrics(directory):
    values = json.loads((directory / "metrics.json").read_text())
    del values["seconds"]
    return {k: v for k, v in values.items() if k not in ("warnings", "latency_ms")}


@pytest.mark.slow
def test_a_run_killed_at_ten_random_moments_ends_as_if_it_had_not_been(typed, tmp_path, capsys):
    whole, killed, log = tmp_path / "whole", tmp_path / "killed", tmp_path / "killed.log"
    succeed("train.py", *typed, f"hydra.run.dir={whole}", child=True)
    rng = random.Random(0)
    told = []
    for number in range(KILLS):
        start = [f"resume={killed}"] if number else [*typed, f"hydra.run.dir={killed}"]
        child = Child(killed, log, *start)
        child.wait_for_checkpoints(rng.randint(1, 4))
        time.sleep(rng.uniform(0, 0.1))
        if number % 2:
            child.wait_for_a_half_written_one()
            time.sleep(rng.uniform(0, 0.03))
        child.kill()
        assert not (killed / "metrics.json").exists()
        told.append(f"kill {number + 1}: {left_by(child.checkpoints)}")
    assert any(".partial" in one for one in told)
    succeed("train.py", f"resume={killed}", child=True)
    with capsys.disabled():
        print()
        print("\n".join(told))
    print(log.read_text())

    one, other = (load_file(run / "model" / "model.safetensors") for run in (whole, killed))
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
    states = [
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (whole, killed)
    ]
    for name, value in states[0]["current_model_state"].items():
        assert torch.equal(value, states[1]["current_model_state"][name]), name
    assert metrics(whole) == metrics(killed)
    assert curves(whole) == curves(killed)
