"""A sweep of real training: each job is a run as any other, DDP included."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from fakes import fake_camvid
from stub_sweeps import jobs, sweep, table

from segmentation.sweep.jobs.names import job_name

pytestmark = pytest.mark.slow
QUICK = [
    "data=camvid", "encoder.weights=none", "decoder.channels=[32,16,16,8,8]", "data.batch_size=2",
    "data.workers=0", "data.size=[32,48]", "logger=none", "trainer.max_epochs=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 4, "val": 2}, size=(48, 64))


def test_two_encoders_and_one_that_fails(data, tmp_path):
    root = tmp_path / "sweep"
    result = sweep(
        root, *QUICK, f"data.root={data}", "encoder=resnet18,vgg11", "optimizer.lr=1e-3,1e30",
        script="train.py",
    )  # fmt: skip
    assert result.returncode == 1
    assert "2 of 4 jobs failed" in result.stdout
    assert "is not finite (NaN or infinite) at step" in result.stdout
    assert sorted(row["state"] for row in table(root)) == ["failed"] * 2 + ["finished"] * 2
    for path in root.glob("*/metrics.json"):
        metrics = json.loads(path.read_text())
        (job,) = [
            one for key, one in jobs(root).items() if job_name(key.split()) == path.parent.name
        ]
        assert job.score == metrics["score"] == metrics["val_miou"]
        assert (path.parent / "model" / "model.safetensors").exists()
        config = (path.parent / "config.yaml").read_text()
        assert "launcher" not in config  # the run does not know that a sweep ran it


def test_two_processes_train_one_job_each_in_its_own_directory(data, tmp_path):
    root = tmp_path / "sweep"
    result = sweep(
        root, *QUICK, f"data.root={data}", "encoder=resnet18", "trainer=ddp_cpu", "seed=1,2",
        script="train.py",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    found = sorted(path.name for path in root.iterdir() if path.is_dir())
    assert len(found) == 2  # no rank has begun a sweep of its own
    for seed in (1, 2):
        (directory,) = [path for path in root.iterdir() if f"seed-{seed}_" in path.name]
        environment = json.loads((directory / "environment.json").read_text())
        assert (environment["processes"], environment["seed"]) == (2, seed)
        assert json.loads((directory / "metrics.json").read_text())["score"] is not None


def test_killed_twice_in_training_and_finished_by_the_same_command(data, tmp_path):
    root = tmp_path / "sweep"
    typed = [*QUICK, f"data.root={data}", "encoder=resnet18", "seed=1,2", "trainer.max_epochs=12"]
    command = [sys.executable, str(ROOT / "train.py"), "-m", *typed, f"hydra.sweep.dir={root}"]
    for attempt in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        before = time.time()
        until = time.monotonic() + 300
        while time.monotonic() < until and not any(
            path.stat().st_mtime > before for path in root.glob("*/checkpoints/last.ckpt")
        ):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.1)
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True
        ).stdout.split()
        if attempt:  # all at once, as when the machine goes down
            for child in children:
                os.kill(int(child), signal.SIGKILL)
        process.kill()
        process.wait()
    result = sweep(root, *typed, script="train.py")
    assert result.returncode == 0, result.stdout + result.stderr
    assert {job.state for job in jobs(root).values()} == {"finished"}
    assert len(jobs(root)) == 2
    (first,) = [path for path in root.iterdir() if "seed-1_" in path.name]
    rows = (first / "metrics.csv").read_text().splitlines()
    epochs = [
        row.split(",")[rows[0].split(",").index("epoch")]
        for row in rows[1:]
        if row.split(",")[rows[0].split(",").index("val/miou")]
    ]
    assert epochs == [str(epoch) for epoch in range(12)]  # each once, none again
