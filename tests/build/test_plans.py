"""Commands get plans: build/ checks their options, and nothing else sees the configuration."""

import ast
from pathlib import Path

import hydra
import pytest
from conftest import ROOT
from omegaconf import OmegaConf

from segmentation.build.comparison import read_comparison
from segmentation.build.evaluation import read_evaluation
from segmentation.build.export import read_export
from segmentation.build.inspection import read_check, read_preview
from segmentation.build.prediction import read_prediction
from segmentation.build.publication import read_publication
from segmentation.build.trainer import trainer_options
from segmentation.build.training_data import find_training_data
from segmentation.config import CONF
from segmentation.errors import ConfigError

READ = {
    "check": read_check,
    "compare": read_comparison,
    "evaluate": read_evaluation,
    "export": read_export,
    "predict": read_prediction,
    "preview": read_preview,
    "publish": read_publication,
}


def plan(command, *overrides, sweep=None):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose(command, [*overrides])
    if command == "compare":
        cfg.sweep = sweep  # else a choice of Hydra's, which is known in a command alone
    return READ[command](cfg)


def names_a_configuration(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return "cfg" in arguments or "DictConfig" in names


def test_only_the_doors_build_and_cli_take_the_configuration():
    package = ROOT / "segmentation"
    paths = [path.relative_to(package) for path in package.rglob("*.py")]
    taking = {path.parts[0] for path in paths if names_a_configuration(package / path)}
    # weights.py and hub.py of models/ name timm's PretrainedCfg `cfg`.
    assert taking - {"models"} == {"__main__.py", "build", "cli", "config.py"}


@pytest.mark.parametrize(
    ("command", "overrides"),
    [
        ("check", ["data=folder", "data.root=."]),
        ("compare", ["runs=[a]"]),
        ("evaluate", ["run=camvid_efficientnet_lite0_long"]),
        ("export", ["output=a"]),
        ("predict", ["model=camvid_efficientnet_lite0", "input=.", "output=c"]),
        ("preview", ["data=folder", "data.root=."]),
        ("publish", [f"run={ROOT}/tests/fixtures/run_0_1_0/finished", "output=b"]),
    ],
)
def test_plans_hold_no_configuration(command, overrides):
    values = vars(plan(command, *overrides)).values()
    assert not [value for value in values if OmegaConf.is_config(value)]


def test_where_a_comparison_goes():
    assert plan("compare", "runs=[a,b]", "output=there").output == Path("there")
    assert plan("compare", sweep="runs/s").output == Path("runs/s/comparison")
    assert plan("compare", "runs=[a,b]").output.match("runs/compare_*")


@pytest.mark.parametrize(
    ("command", "overrides", "message"),
    [
        ("export", ["output=a", "format=onxx"], "format=onxx: use onnx.* Did you mean 'onnx'"),
        ("export", ["output=a", "precision=fp8"], "precision=fp8: use fp32, fp16, int8"),
        ("export", ["output=a", "head=mask"], "head=mask: use labels, logits"),
        ("export", ["output=a", "tolerance=-1"], "tolerance is -1"),
        ("compare", ["by=frame"], "by=frame: use auto, image, block"),
        ("compare", ["resamples=0"], "resamples=0"),
        ("compare", ["size=[3]"], r"size=\[3\]: expected \[height,width\]"),
        ("predict", ["input=a", "output=b", "scales=[9]"], "scales"),
        ("publish", ["run=a", "output=b", "limits=Night"], "limits=Night: expected a list"),
        ("preview", ["output=a.txt"], r"output=a.txt: give the picture a suffix"),
        ("preview", ["draws=0"], "draws=0"),
    ],
)
def test_invalid_options_are_refused_before_anything_is_read(command, overrides, message):
    with pytest.raises(ConfigError, match=message):
        plan(command, *overrides)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.batch_size=-1", r"data\.batch_size=-1: expected a whole number of 1"),
        ("data.size=[0,3]", r"data\.size=\[0, 3\]"),
        ("data.crop=7", r"data\.crop=7"),
        ("data.workers=-1", r"data\.workers=-1"),
        ("data.cache=ram", r"invalid data\.cache='ram'"),
        ("data.on_error=stopp", r"invalid data\.on_error='stopp'"),
        ("data.max_pixels=0", r"data\.max_pixels=0"),
        ("data.bands=a.tif", r"a\.tif"),
        ("data.folds=3", r"data\.folds and data\.fold belong together"),
        ("+augment.flips=2", "flips"),
        ("optimizer.lr=0", r"optimizer\.lr"),
        ("+optimizer.speed=1", "speed"),
        ("+schedule.speed=1", "speed"),
        ("encoder.freeze_epochs=-1", r"encoder\.freeze_epochs=-1"),
    ],
)
def test_options_are_checked_before_streets_are_drawn(override, message, tmp_path, monkeypatch):
    monkeypatch.setattr("segmentation.build.data.write_streets", lambda *_: pytest.fail("it draws"))
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("train", [f"data.root={tmp_path}", override])
    with pytest.raises(ConfigError, match=message):
        find_training_data(cfg, tmp_path, {}, 1)


@pytest.mark.parametrize("option", ["trainer.max_epochs=0", "+trainer.max_steps=0"])
def test_a_training_has_at_least_one_epoch_and_step(option):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        trainer = hydra.compose("train", ["trainer=cpu", option]).trainer
    name = option.removeprefix("+")
    with pytest.raises(ConfigError, match=f"{name}: expected a whole number of 1 or more"):
        trainer_options(trainer)
