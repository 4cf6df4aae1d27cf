"""The directory of a run that failed before it wrote anything is removed, and no other."""

import matplotlib.font_manager  # noqa: F401  # else it logs into the run that it makes its cache
import pytest
from commands import run
from filelock import FileLock
from omegaconf import OmegaConf

from segmentation.cli.failed_start import FailedStart


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "runs" / "one"


def config_of(directory):
    return OmegaConf.create({"hydra": {"run": {"dir": str(directory)}, "job": {"name": "train"}}})


def ended(directory, write=(), before=False):
    """Return whether a directory is left of a run that wrote these files into it."""
    config = config_of(directory)
    if before:
        directory.mkdir(parents=True)
    callback = FailedStart()
    callback.on_run_start(config)
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in {"train.log": "", "run.lock": "", **dict(write)}.items():
        (directory / name).write_text(content)
    callback.on_run_end(config)
    return directory.exists()


def test_an_empty_directory_is_removed(directory):
    assert not ended(directory)
    assert directory.parent.is_dir()


@pytest.mark.parametrize("write", [{"train.log": "a warning"}, {"config.yaml": ""}])
def test_a_directory_with_content_stays(directory, write):
    assert ended(directory, write)
    assert len(list(directory.iterdir())) >= 2


def test_a_directory_that_was_there_before_stays(directory):
    assert ended(directory, before=True)


def test_a_directory_of_a_run_at_work_stays(directory):
    lock = directory / "run.lock"
    config = config_of(directory)
    callback = FailedStart()
    callback.on_run_start(config)
    directory.mkdir(parents=True)
    with FileLock(lock):
        callback.on_run_end(config)
        assert lock.exists()


def test_a_refused_training_leaves_no_directory(tmp_path):
    result = run("train.py", "seed=-1", f"hydra.run.dir={tmp_path}/runs/one")
    assert result.returncode == 1
    assert "seed=-1: expected a whole number" in result.stderr
    assert not (tmp_path / "runs" / "one").exists()
