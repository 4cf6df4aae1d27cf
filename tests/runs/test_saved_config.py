"""A configuration that an earlier version saved is read under today's names."""

import copy

import hydra
import pytest
import torch
import yaml

from segmentation.runs.trained_config import trained_config
from segmentation.config import CONF, flat, settings
from segmentation.runs.directory import read_settings
from segmentation.runs.saved_config import MOVED, updated

BEFORE = yaml.safe_load("""
data: {name: camvid, root: /data, cache: ram}
encoder: {name: resnet34}
trainer: {max_epochs: 1}
logger:
  wandb: {_target_: segmentation.training.loggers.WandbLogger, project: cityseg}
  tensorboard: {_target_: segmentation.training.local_loggers.tensorboard}
  mlflow: {_target_: segmentation.training.local_loggers.mlflow, experiment: cityseg}
loss: {terms: {dice: {_target_: segmentation.training.losses.Dice, weight: 1.0}}}
callbacks: {mean_of_last: {_target_: segmentation.training.averaging.MeanOfLast, epochs: 5}}
augment: {transforms: [{hflip: {p: 0.5}}]}
""")

TODAY = yaml.safe_load("""
data: {name: camvid, root: /data, cache: disk, annotations: "off"}
encoder: {name: resnet34}
trainer: {max_epochs: 1, compile: false}
logger:
  wandb: {_target_: segmentation.loggers.wandb_logger.WandbLogger, project: cityseg}
  tensorboard: {_target_: segmentation.loggers.tensorboard_logger.tensorboard}
  mlflow: {_target_: segmentation.loggers.mlflow_logger.mlflow, experiment: cityseg}
loss: {terms: {dice: {_target_: segmentation.training.losses.Dice, weight: 1.0}}}
callbacks: {mean_of_last: {_target_: segmentation.training.weight_averaging.MeanOfLast, epochs: 5}}
augment: {transforms: [{hflip: {p: 0.5}}]}
""")


def test_a_run_directory_and_a_checkpoint_of_before(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(BEFORE))
    torch.save({"config": BEFORE, "state_dict": {}}, tmp_path / "last.ckpt")
    assert read_settings(tmp_path) == TODAY
    assert trained_config(tmp_path / "last.ckpt") == TODAY


def test_todays_names_stay_and_what_is_passed_is_not_changed():
    before = copy.deepcopy(BEFORE)
    assert updated(updated(BEFORE)) == TODAY
    assert before == BEFORE


@pytest.mark.parametrize("logger", ["wandb", "tensorboard", "mlflow"])
def test_the_successors_are_those_that_conf_names(logger):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("train", [f"logger={logger}"])
    assert cfg.logger[logger]._target_ in MOVED.values()
    saved = settings(cfg)
    assert not {value for value in flat(saved).values() if isinstance(value, str)} & set(MOVED)
    assert updated(saved) == saved
