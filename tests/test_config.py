"""Every option of every group is composed with the rest, and what it describes is built."""

from math import nan

import hydra
import pytest
import pytorch_lightning as pl
import torch
from conftest import ROOT
from fakes import CLASSES, LABELS, fake_camvid, samples_of
from omegaconf import OmegaConf

from segmentation.build.data import build_data, find_dataset
from segmentation.build.model import build_model
from segmentation.build.module import build_loss, build_module
from segmentation.build.trainer import (
    build_callbacks,
    build_loggers,
    build_trainer,
    trainer_options,
)
from segmentation.config import CONF, differing_keys
from segmentation.data.discovery.scan import scan_samples
from segmentation.data.discovery.scanned_dataset import select_usable
from segmentation.errors import ConfigError
from segmentation.training.losses import WeightedSum

GROUPS = {
    folder.name: sorted(path.stem for path in folder.glob("*.yaml"))
    for folder in sorted((ROOT / "conf").iterdir())
    if folder.is_dir()
}


def compose(*overrides, script="train"):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(script, [*overrides])


def options(group, leave_out=()):
    return [name for name in GROUPS[group] if name not in leave_out]


def test_the_groups_were_found():
    assert set(GROUPS) == {
        "augment", "callbacks", "data", "decoder", "encoder", "experiment", "hydra", "launcher",
        "logger", "loss", "optimizer", "schedule", "sweep", "trainer",
    }  # fmt: skip
    assert len(GROUPS["encoder"]) >= 17
    assert all(GROUPS.values())


@pytest.mark.parametrize(
    ("group", "option"),
    [(group, option) for group in GROUPS for option in GROUPS[group] if group != "hydra"],
)
def test_every_option_composes(group, option):
    script = "evaluate" if option == "as_trained" else "train"
    cfg = compose(f"{group}={option}", script=script)
    for key in OmegaConf.missing_keys(cfg):
        OmegaConf.update(cfg, key, "given")
    assert OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


SCRIPTS = sorted(path.stem for path in CONF.glob("*.yaml"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_composes(script):
    assert compose(script=script)


@pytest.mark.parametrize("option", options("data", ["as_trained"]))
def test_data(option, tmp_path, monkeypatch):
    root = fake_camvid(tmp_path)
    monkeypatch.setattr("segmentation.build.data.write_streets", lambda *_: None)
    cfg = compose(f"data={option}", f"data.root={root}", "data.workers=0", "data.batch_size=2")
    source = select_usable(find_dataset(cfg.data), cfg.data.on_error)
    assert set(source.samples) == {"train", "val", "test"}
    data = build_data(cfg.data, source, None, seed=0)
    assert next(iter(data.train_dataloader()))["image"].shape[0] == 2


@pytest.mark.parametrize("option", options("encoder"))
def test_models(option):
    cfg = compose(f"encoder={option}", "encoder.weights=none")
    if OmegaConf.is_missing(cfg.encoder, "name"):
        cfg.encoder.name = "resnet18"
    with torch.device("meta"):
        model = build_model(cfg, 11)
    assert sum(parameter.numel() for parameter in model.parameters()) > 1e6


@pytest.mark.parametrize("option", options("experiment"))
def test_the_model_of_an_experiment_can_be_built(option):
    cfg = compose(f"experiment={option}", "data.root=given")
    if not cfg.model.weights and cfg.encoder.weights == "imagenet":  # which not all machines have
        cfg.encoder.weights = "none"
    assert build_model(cfg, 11, classes=CLASSES)


@pytest.mark.parametrize("option", options("decoder"))
def test_decoders(option):
    cfg = compose(f"decoder={option}", "encoder=resnet18", "encoder.weights=none")
    logits = build_model(cfg, 3)(torch.zeros(1, 3, 33, 41, dtype=torch.uint8))
    assert logits.shape == (1, 3, 33, 41)


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    """Count the pixels of each class in fake data."""
    return scan_samples(samples_of(fake_camvid(tmp_path_factory.mktemp("camvid"))), LABELS).pixels


@pytest.mark.parametrize("option", options("loss"))
@pytest.mark.parametrize("weights", ["none", "median_frequency", "sqrt_median_frequency"])
def test_losses(option, weights, pixels):
    cfg = compose(f"loss={option}", f"loss.class_weights={weights}")
    loss = build_loss(cfg.loss, pixels)
    assert isinstance(loss, WeightedSum)
    total, parts = loss(torch.randn(1, 11, 8, 8), torch.randint(0, 11, (1, 8, 8)))
    assert torch.isfinite(total)
    assert set(parts) == set(cfg.loss.terms)


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [
        (optimizer, schedule)
        if (i - j) % 3 == 0  # each of both in the fast tests, all pairs in the slow ones
        else pytest.param(optimizer, schedule, marks=pytest.mark.slow)
        for i, optimizer in enumerate(options("optimizer"))
        for j, schedule in enumerate(options("schedule"))
    ],
)
def test_optimizers_and_schedules_train(optimizer, schedule, tmp_path):
    cfg = compose(
        f"optimizer={optimizer}", f"schedule={schedule}", "encoder=timm",
        "encoder.name=test_resnet", "encoder.weights=none", "decoder.channels=[16,8,8,8,8]",
        "encoder.lr_factor=0.1",
    )  # fmt: skip
    root = fake_camvid(tmp_path, {"train": 4, "val": 1})
    options = ("data=camvid", f"data.root={root}", "data.batch_size=2", "data.workers=0")
    source = find_dataset(compose(*options).data)
    data = build_data(compose(*options).data, source, None, seed=0)
    pixels = source.scans["train"].pixels
    module = build_module(cfg, build_model(cfg, 11), CLASSES, pixels, {})
    before = [parameter.detach().clone() for parameter in module.parameters()]
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=2, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0,
        limit_val_batches=0, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(module, datamodule=data)
    groups = {group["name"]: group["lr"] for group in trainer.optimizers[0].param_groups}
    assert groups["encoder"] == pytest.approx(0.1 * groups["decoder"])
    moved = [not torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True)]
    assert sum(moved) > len(moved) / 2  # not all: a step of a small gradient can round to nothing


@pytest.mark.parametrize("option", options("trainer"))
def test_trainers(option):
    missing = {"gpu": torch.cuda.is_available(), "ddp": torch.cuda.is_available(),
               "mps": torch.backends.mps.is_available()}  # fmt: skip
    cfg = compose(f"trainer={option}")
    if not missing.get(option, True):
        with pytest.raises(ConfigError, match="trainer=auto or trainer=cpu"):
            trainer_options(cfg.trainer)
        return
    trainer = build_trainer(trainer_options(cfg.trainer), logger=False)
    assert trainer.max_epochs == cfg.trainer.max_epochs
    assert trainer.precision in ("bf16-mixed", "32-true")


@pytest.mark.parametrize("option", options("callbacks"))
def test_callbacks(option, tmp_path):
    cfg = compose(f"callbacks={option}")
    names = [type(one).__name__ for one in build_callbacks(cfg.callbacks, tmp_path, [])]
    assert names[-2:] == ["BestCheckpoint", "LastCheckpoint"]  # after all that changes a state
    assert len(names) == len(set(names)) == 9 + len(cfg.callbacks)


@pytest.mark.parametrize(
    "option",
    [
        *options("logger", ["mlflow"]),
        pytest.param("mlflow", marks=pytest.mark.slow),  # its import
        "[wandb,tensorboard]",
    ],
)
def test_loggers(option, tmp_path):
    cfg = compose(f"logger={option}")
    loggers = build_loggers(cfg.logger, tmp_path)
    assert type(loggers[0]).__name__ == "ResumableCSVLogger"
    assert len(loggers) == 1 + {"none": 0, "[wandb,tensorboard]": 2}.get(option, 1)


def test_what_is_chosen_together():
    cfg = compose("callbacks=[ema,early_stopping]", "experiment=debug")
    assert set(cfg.callbacks) == {"ema", "early_stopping"}
    assert cfg.trainer.overfit_batches == 1
    assert cfg.data.root == "datasets/streets"


def test_two_averages_of_the_weights_are_refused(tmp_path):
    cfg = compose("callbacks=[ema,mean_of_last]")
    with pytest.raises(ConfigError, match="EMAWeightAveraging and MeanOfLast both"):
        build_callbacks(cfg.callbacks, tmp_path, [])


def test_keys_that_differ():
    assert differing_keys([{"a": 1, "b": 2}, {"b": 2, "c": None}, {"a": 1, "b": 2}]) == ["a"]
    assert differing_keys([{"a": [1, nan]}, {"a": [1, nan]}]) == []
    assert differing_keys([{"a": 1}, {"a": True}]) == ["a"]
    assert differing_keys([{"a": 1}]) == differing_keys([]) == []
