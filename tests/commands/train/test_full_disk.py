"""A disk that is full at any write of a training, and two trainings in one directory."""

import json
import os
import re
import subprocess
import sys

import pytest
from commands import run_child, succeed
from conftest import ROOT
from fakes import fake_camvid

from segmentation.training.checkpoints import damage, newest_checkpoint

pytestmark = pytest.mark.slow

QUICK = [
    "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none", "data=camvid",
    "decoder.channels=[16,16,8,8,8]", "data.batch_size=2", "data.workers=0", "data.size=[32,48]",
    "data.cache=off", "logger=none", "trainer.accelerator=cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("camvid")
    return fake_camvid(root, {"train": 6, "val": 2, "test": 2}, size=(48, 64))


@pytest.fixture(scope="module")
def written(data, tmp_path_factory):
    """The bytes of a finished run, and of its parts."""
    run = tmp_path_factory.mktemp("whole") / "run"
    succeed("train.py", *options(data, run))
    return {
        path.relative_to(run).as_posix(): path.stat().st_size
        for path in run.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)],
            check=True, capture_output=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def options(data, run, epochs=1):
    return [*QUICK, f"data.root={data}", f"trainer.max_epochs={epochs}", f"hydra.run.dir={run}"]


def remount(disk, size):
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def room(written, *parts):
    """The bytes, in whole pages, of the files whose names begin with one of some parts."""
    sizes = [size for name, size in written.items() if name.startswith(parts)]
    assert sizes
    return sum(-(-size // 4096) * 4096 for size in sizes)


@pytest.mark.parametrize("place", ["the second checkpoint", "the model", "the last files"])
def test_a_full_disk_is_a_clear_error_and_the_run_goes_on_once_there_is_room(
    data, written, disk, place
):
    checkpoints = room(written, "checkpoints")
    size = {
        "the second checkpoint": checkpoints // 2 + 100_000,
        "the model": checkpoints + room(written, "model") // 2 + 100_000,
        "the last files": room(written, "") - room(written, "report", "pictures", "metrics.json"),
    }[place]
    remount(disk, size)
    run = disk / "run"
    result = run_child("train.py", *options(data, run))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert re.search("error: .*(the disk is full|No space left on device)", result.stderr)
    assert not (run / "metrics.json").exists()
    newest = newest_checkpoint(run / "checkpoints")
    assert newest is None or damage(newest) is None
    assert not list(run.rglob("*.partial"))

    remount(disk, "64m")
    succeed("train.py", f"resume={run}", child=True)
    assert json.loads((run / "metrics.json").read_text())["miou"] is not None


def test_of_two_trainings_in_one_directory_one_trains(data, tmp_path):
    command = [sys.executable, str(ROOT / "train.py"), *options(data, tmp_path / "run", epochs=3)]
    both = [
        subprocess.Popen(
            command,
            env={**os.environ, "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ends = [process.communicate(timeout=300) for process in both]
    codes = [process.returncode for process in both]
    assert sorted(codes) == [0, 1], ends
    refused = ends[codes.index(1)][1]
    assert "another process trains in" in refused or "already holds a run" in refused
    assert "Traceback" not in ends[0][1] + ends[1][1]
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["epoch"] is not None
