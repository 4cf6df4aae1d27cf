"""Options of Lightning's and PyTorch's classes are typed as their documentation writes them."""

import inspect

import pytest
import pytorch_lightning as pl
from commands import run
from omegaconf import DictConfig, OmegaConf

from segmentation.build.trainer import trainer_options
from segmentation.build.trainer_options import SET_HERE
from segmentation.cli.class_options import accept_class_options, compose
from segmentation.errors import ConfigError


def composed(*words: str) -> DictConfig:
    """Return the configuration that `train.py` prints for these words."""
    result = run("train.py", "--cfg", "job", *words, HYDRA_FULL_ERROR="0")
    assert result.returncode == 0, result.stderr
    cfg = OmegaConf.create(result.stdout)
    assert isinstance(cfg, DictConfig)
    return cfg


def trainer_section(**options: object) -> DictConfig:
    """Return `trainer` as it is by default, with other options."""
    return OmegaConf.create({**compose([], "train").trainer, **options})


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["trainer.max_steps=500"], "trainer.max_steps", 500),
        (["trainer.max_steps=1", "trainer.max_steps=2"], "trainer.max_steps", 2),
        (["trainer.val_check_interval=0.25"], "trainer.val_check_interval", 0.25),
        (["trainer=ddp_cpu", "trainer.num_nodes=2"], "trainer.num_nodes", 2),
        (["trainer.num_nodes=2"], "trainer.num_nodes", 2),
        (
            ["callbacks=early_stopping", "callbacks.early_stopping.min_delta=0.1"],
            "callbacks.early_stopping.min_delta",
            0.1,
        ),
        (
            ["callbacks=[ema,early_stopping]", "callbacks.ema.update_every_n_steps=2"],
            "callbacks.ema.update_every_n_steps",
            2,
        ),
        (["optimizer.amsgrad=true"], "optimizer.amsgrad", True),
        (["optimizer=sgd", "optimizer.dampening=0.5"], "optimizer.dampening", 0.5),
        (["experiment=debug", "trainer.overfit_batches=2"], "trainer.overfit_batches", 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_of_a_class_needs_no_plus(words, key, value):
    assert OmegaConf.select(composed(*words), key) == value


def test_every_option_of_lightnings_trainer_is_typed_as_it_is_or_says_where_it_is_set():
    names = inspect.signature(pl.Trainer).parameters.keys()
    assert len(names) > 35
    words = [f"trainer.{name}=1" for name in names - SET_HERE.keys()]
    shipped = trainer_section()
    for word, accepted in zip(words, accept_class_options(words, "train"), strict=True):
        plus = "" if word[len("trainer.") : -len("=1")] in shipped else "++"
        assert accepted == plus + word
    for name in SET_HERE:
        with pytest.raises(ConfigError, match=rf"trainer\.{name} can't be set: .{{10}}"):
            trainer_options(trainer_section(**{name: True}))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trainer.max_step=5"], "no option 'trainer.max_step'. Did you mean 'trainer.max_steps'"),
        (
            ["callbacks.early_stopping.patience=3"],
            "callbacks.early_stopping.patience is an option of callbacks=early_stopping, which is "
            "not chosen. Also type callbacks=early_stopping.",
        ),
        (
            ["callbacks=ema", "callbacks.early_stopping.min_delta=1"],
            "callbacks.early_stopping.min_delta is an option of callbacks=early_stopping",
        ),
        (["optimizer.momentum=0.9"], "optimizer.momentum is an option of optimizer=sgd"),
        (["data=camvid", "data.draw.seed=1"], "data.draw.seed is an option of data=streets"),
        (["sweep.trials=3"], "an option of sweep=search or sweep=search_cost, which is not chosen"),
        (["optimizer.lrr=1"], "no option 'optimizer.lrr'. Did you mean 'optimizer.lr'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_that_is_not_there_names_what_has_it_or_the_closest_one(words, message):
    result = run("train.py", "--cfg", "job", *words, HYDRA_FULL_ERROR="0")
    assert result.returncode == 1
    assert message in result.stderr
    assert message.startswith("no option") or "Did you mean" not in result.stderr


def test_of_a_swept_group_each_choice_counts():
    words = ["-m", "callbacks=none,ema", "callbacks.ema.device=cpu", "seed=1,2", "loss=dice"]
    words += ["callbacks.ema.decay=0.9", "optimizer.lr=1e-3,1e-2", "callbacks.emma.decay=0.9"]
    accepted = [f"++{word}" if "ema." in word else word for word in words]
    assert accept_class_options(words, "train") == accepted


def test_options_of_classes_in_a_users_own_configuration_directory_are_accepted(tmp_path):
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text("_target_: torch.optim.Adadelta\nlr: 1.0\n")
    words = ["--config-dir", str(tmp_path), "optimizer=mine", "optimizer.rho=0.5", "optimizer.r=1"]
    assert accept_class_options(words, "train") == [*words[:3], "++optimizer.rho=0.5", words[4]]


def test_an_unknown_option_of_the_trainer_that_a_file_or_a_plus_brought_is_refused():
    with pytest.raises(ConfigError, match=r"no option trainer\.max_step\. Did you mean 'max_steps"):
        trainer_options(trainer_section(max_step=5))


def test_cfg_of_a_sweep_is_refused():
    result = run("train.py", "-m", "--cfg", "job", "seed=1,2", HYDRA_FULL_ERROR="0")
    assert result.returncode == 1
    assert "show a single run: omit -m" in result.stderr
