"""The wheel, installed elsewhere, works from an empty folder."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from fakes import fake_camvid

from segmentation import __version__

pytestmark = pytest.mark.slow

TINY = [
    "encoder=timm", "encoder.name=test_efficientnet", "encoder.weights=none",
    "decoder.channels=[4,4,4,4,4]", "trainer=cpu", "trainer.max_epochs=1", "data.batch_size=2",
    "data.workers=0", "logger=none",
]  # fmt: skip


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Build the wheel and install it into a new environment; dependencies are those of this one.

    This environment's packages follow through a .pth file, in which no other .pth is read: a clone
    that is installed here as editable stays out of sight.
    """
    folder = tmp_path_factory.mktemp("installed")
    _run(sys.executable, "-m", "uv", "build", "--wheel", "--out-dir", folder, ROOT)
    (wheel,) = folder.glob("cityseg-*.whl")
    _run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    _run(sys.executable, "-m", "uv", "pip", "install", "--no-deps", "--python", python, wheel)
    (packages,) = folder.glob("venv/lib/python3*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return fake_camvid(tmp_path_factory.mktemp("camvid"), {"train": 4, "val": 2, "test": 2})


@pytest.fixture
def cityseg(environment, tmp_path, monkeypatch):
    """Return the installed command; the working directory is an empty folder."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    return lambda *arguments: _run(environment / "cityseg", *arguments)


def _run(*command: object) -> str:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*map(str, command)], env=variables, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def config_of(run: Path):
    return yaml.safe_load((run / "config.yaml").read_text())


def test_it_is_the_wheel_that_runs(environment, cityseg):
    code = "import segmentation, segmentation.config as c; print(segmentation.__file__, c.CONF)"
    for path in _run(environment / "python", "-c", code).split():
        assert Path(path).is_relative_to(environment.parent)
    assert cityseg("--version") == f"cityseg {__version__}\n"


def test_help(cityseg):
    printed = cityseg("train", "--help")
    for group in ("encoder", "decoder", "launcher", "experiment"):
        assert group in printed
    assert [*Path().iterdir()] == []


def test_check(cityseg, data):
    assert "Bicyclist" in cityseg(
        "check", "data=folder", f"data.root={data}", "data.classes=camvid"
    )


def test_train_evaluate_and_predict(cityseg, data):
    cityseg("train", "data=camvid", f"data.root={data}", *TINY, "hydra.run.dir=run")
    facts = json.loads(Path("run/environment.json").read_text())
    assert facts["versions"]["cityseg"] == __version__
    cityseg("evaluate", "run=run", "split=val")
    assert Path("run/evaluation/val/metrics.json").is_file()
    cityseg("predict", "model=run", f"input={data / 'test'}", "output=masks")
    assert len([*Path("masks").glob("*.png")]) == 2


def test_jobs_of_a_sweep_are_the_installed_command_too(cityseg, data):
    cityseg("train", "-m", "seed=0,1", "data=camvid", f"data.root={data}", *TINY,
            "hydra.sweep.dir=sweep")  # fmt: skip
    runs = [path.parent for path in Path("sweep").rglob("metrics.json")]
    assert sorted(config_of(run)["seed"] for run in runs) == [0, 1]


def test_a_users_own_configuration_files(cityseg, data, tmp_path):
    own = tmp_path / "own"
    (own / "experiment").mkdir(parents=True)
    (own / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 7\n")
    (own / "house.yaml").write_text("defaults: [train, _self_]\nseed: 8\n")
    common = ["--config-dir", str(own), "data=camvid", f"data.root={data}", *TINY]
    cityseg("train", *common, "experiment=mine", "hydra.run.dir=mine")
    cityseg("train", "-cn", "house", *common, "hydra.run.dir=house")
    assert [config_of(Path(run))["seed"] for run in ("mine", "house")] == [7, 8]
