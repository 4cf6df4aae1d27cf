"""A checkpoint that somebody else made is data, and runs nothing."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml
from commands import run
from fakes import fake_camvid

from segmentation.models import load_model
from segmentation.models.saving import weights_hash

TINY = [
    "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none",
    "decoder.channels=[8,8,8,8,8]", "logger=none", "trainer=cpu", "trainer.max_epochs=1",
    "data.workers=0", "data.batch_size=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stranger")
    root = fake_camvid(folder / "camvid", {"train": 2, "val": 2})
    result = run(
        "train.py", "data=camvid", f"data.root={root}", *TINY, f"hydra.run.dir={folder}/run"
    )
    assert result.returncode == 0, result.stderr
    return folder / "run"


def touches(path: Path) -> dict:
    target = {"_target_": "pathlib.Path", "_args_": [str(path)]}
    return {"_target_": "pathlib.Path.touch", "self": target}


@pytest.mark.parametrize("precision", ["a target", "64-precise"])
def test_the_precision_it_names_is_a_name_or_refused(trained, tmp_path, precision):
    victim = tmp_path / "made"
    content = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    content["config"]["trainer"]["precision"] = (
        touches(victim) if precision == "a target" else precision
    )
    torch.save(content, tmp_path / "best.ckpt")
    result = run("evaluate.py", f"run={tmp_path / 'best.ckpt'}")
    assert result.returncode == 1
    assert "the precision of the training is" in result.stderr
    assert "trainer.precision=32-true" in result.stderr
    assert not victim.exists()


def test_a_run_directory_likewise(trained, tmp_path):
    victim = tmp_path / "made"
    there = tmp_path / "run"
    shutil.copytree(trained, there)
    config = yaml.safe_load((there / "config.yaml").read_text())
    config["trainer"]["precision"] = touches(victim)
    (there / "config.yaml").write_text(yaml.safe_dump(config))
    (there / "environment.json").write_text("{}")
    result = run("evaluate.py", f"run={there}")
    assert result.returncode == 1
    assert "the precision of the training is" in result.stderr
    assert not victim.exists()


def test_weights_are_told_apart_and_stay_themselves(trained):
    model, again = load_model(trained).model, load_model(trained / "model").model
    assert weights_hash(model) == weights_hash(again)
    with torch.no_grad():
        next(again.parameters())[0, 0, 0, 0] += 1e-3
    assert weights_hash(model) != weights_hash(again)
