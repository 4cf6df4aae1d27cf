"""Relative paths count from where the command was typed."""

import os

import pytest
from commands import run, succeed
from fakes import fake_camvid
from omegaconf import OmegaConf
from stub_sweeps import starts, sweep, table

from segmentation.config import settings
from segmentation.runs.directory import read_settings

QUICK = [
    "data=camvid", "data.root=camvid", "encoder.weights=none", "decoder.channels=[32,16,16,8,8]",
    "data.batch_size=2", "data.workers=0", "data.cache=off", "data.size=[32,48]", "logger=none",
    "trainer.max_epochs=1", "trainer.accelerator=cpu",
]  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in a folder whose `runs` is a link."""
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "disk").mkdir()
    (here / "runs").symlink_to(tmp_path / "elsewhere" / "disk")
    monkeypatch.chdir(here)
    return here


@pytest.mark.slow
def test_a_training_in_a_linked_folder_is_scored_from_another_directory(here, monkeypatch):
    (here / "camvid").mkdir()
    fake_camvid(here / "camvid", {"train": 4, "val": 2, "test": 2}, size=(48, 64))
    succeed("train.py", *QUICK, "hydra.run.dir=runs/one", "hydra.job.chdir=true")
    disk = here.parent / "elsewhere" / "disk"
    assert os.getcwd() == str(here)
    assert read_settings(disk / "one")["data"]["root"] == str(here / "camvid")
    assert sorted(path.name for path in here.iterdir()) == ["camvid", "runs"]
    monkeypatch.chdir(disk)
    (disk / "link").symlink_to("one")
    result = succeed("evaluate.py", "run=link", "split=val", "hydra.job.chdir=true")
    assert "mIoU" in result.stdout
    again = run("train.py", "resume=link")
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("launcher", ["basic", pytest.param("joblib", marks=pytest.mark.slow)])
def test_a_job_starts_where_its_sweep_was_typed(here, launcher):
    words = ["seed=1,2", "data.root=camvid", "hydra.job.chdir=true", f"launcher={launcher}"]
    result = sweep("runs/sweep", *words, child=launcher != "basic")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (result.stdout + result.stderr).count("hydra.job.chdir=true has no effect: ") == 1
    begun = [start for (start,) in starts(here / "runs" / "sweep").values()]
    assert [start["cwd"] for start in begun] == [str(here)] * 2
    assert len(table(here / "runs" / "sweep")) == 2
    composed = OmegaConf.load(next((here / "runs" / "sweep").glob("*/composed.yaml")))
    assert composed.data.root == str(here / "camvid")


def test_settings_have_absolute_paths_but_leave_names(here):
    (here / "imagenet").touch()
    (here / "mine.yaml").touch()
    cfg = OmegaConf.create(
        {
            "data": {"root": "camvid", "pairs": None, "classes": "mine.yaml"},
            "encoder": {"weights": "imagenet"},
            "model": {"weights": "~/nothing/there"},
        }
    )
    assert settings(cfg) == {
        "data": {"root": str(here / "camvid"), "pairs": None, "classes": str(here / "mine.yaml")},
        "encoder": {"weights": "imagenet"},
        "model": {"weights": "~/nothing/there"},
    }


def test_a_working_directory_that_is_gone_or_an_interpolation_is_an_error(tmp_path, monkeypatch):
    for name, message in (("${seed}", "Hydra would resolve"), ("gone", "has been removed")):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        if name == "gone":
            (tmp_path / name).rmdir()
        result = run("check.py")
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr
    monkeypatch.chdir(tmp_path)


def test_one_line_says_that_hydras_working_directory_has_no_effect(here, caplog):
    for words, count in (["hydra.job.chdir=true"], 1), ([], 0):
        caplog.clear()
        assert run("check.py", "data=folder", "data.root=nowhere", *words).returncode == 1
        said = "hydra.job.chdir=true has no effect: relative paths count from"
        assert caplog.text.count(said) == count
