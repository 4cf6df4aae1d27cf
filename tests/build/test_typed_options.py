"""A typed value never fails against a default that was not typed."""

import logging

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from segmentation.build.typed_options import yield_to_typed
from segmentation.config import CONF

DDP = "trainer=ddp_cpu"


def given(command: str):
    """Return the configuration of typed words, after defaults gave way."""
    words = command.split()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", words)
    return yield_to_typed(cfg, [word.lstrip("+").partition("=")[0] for word in words])


@pytest.mark.parametrize(
    ("command", "key", "value"),
    [
        ("data.size=[64,64]", "data.crop", "auto"),
        ("data.size=[64,300]", "data.crop", "auto"),
        ("data.draw.size=[64,64]", "data.crop", "auto"),
        ("+trainer.max_steps=500", "trainer.max_epochs", -1),
        (f"{DDP} trainer.devices=3", "data.batch_size", 3),
        (f"{DDP} data=camvid data.root=x trainer.devices=3", "data.batch_size", 6),
        (f"{DDP} trainer.devices=4 trainer.num_nodes=4", "data.batch_size", 16),
        ("+optimizer.foreach=true", "optimizer.fused", None),
    ],
)
def test_a_default_gives_way_and_that_is_said(command, key, value, caplog):
    with caplog.at_level(logging.INFO):
        assert OmegaConf.select(given(command), key) == value
    (record,) = caplog.records
    assert f"{key}=" in record.message
    assert f"it is {value} now" in record.message


@pytest.mark.parametrize(
    ("command", "key", "value"),
    [
        ("data.size=[200,300]", "data.crop", [160, 224]),
        ("data.size=64", "data.crop", [160, 224]),
        ("data.size=[64,64] data.crop=[160,224]", "data.crop", [160, 224]),
        ("+trainer.max_steps=500 trainer.max_epochs=3", "trainer.max_epochs", 3),
        (f"{DDP} trainer.devices=3 data.batch_size=4", "data.batch_size", 4),
        (f"{DDP} trainer.devices=many", "data.batch_size", 4),
        ("+optimizer.foreach=true optimizer.fused=true", "optimizer.fused", True),
        ("experiment=debug", "data.crop", None),
    ],
)
def test_what_is_typed_or_no_contradiction_stays(command, key, value, caplog):
    with caplog.at_level(logging.INFO):
        assert OmegaConf.select(given(command), key) == value
    assert not caplog.records
