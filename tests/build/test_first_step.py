"""A training's first step is checked before images are cached or weights loaded."""

import hydra
import numpy as np
import pytest
import torch
from made_datasets import made

from segmentation.build.limits import check_first_step
from segmentation.config import CONF
from segmentation.errors import ConfigError


def first_step(*overrides, size=(32, 32), count=10, ranks=1, **trainer):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("train", ["data=folder", "data.root=.", *overrides])
    splits = {split: (count, {"sizes": np.full((count, 2), size)}) for split in ("train", "val")}
    return check_first_step(cfg, made(**splits), trainer, ranks)


def test_the_batches_of_a_training():
    step = first_step(size=(600, 800), count=20)
    assert (step.crop, step.batch.size, step.batch.images) == ((512, 512), (512, 512), 8)
    assert (step.batch.at_once, step.batch.per_epoch, step.padding) == (8, 2, 0)
    assert step.warnings == ()
    assert first_step(ranks=4).batch.at_once == 2


def test_a_batch_of_one_small_image_is_refused_with_the_default_encoder():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with pytest.raises(ConfigError, match=r"a batch of one image of 32x32 .* data\.batch_size=2"):
        first_step("data.batch_size=1")
    assert torch.equal(torch.rand(3), expected)  # weights follow from the seed as before
    first_step("data.batch_size=1", size=(64, 64))
    frozen = ("data.batch_size=1", "encoder.freeze_epochs=7")
    first_step(*frozen, max_epochs=7)
    with pytest.raises(ConfigError, match="batch norm"):
        first_step(*frozen, max_epochs=8)


@pytest.mark.parametrize(
    ("overrides", "options", "message"),
    [
        (["data.batch_size=3"], {"ranks": 2}, "use a multiple of 2"),
        (["data.size=[32,32]", "data.crop=[64,64]"], {}, "is larger than data.size"),
        (["data.crop=[512,512]"], {}, "100% of the crops is padding"),
        ([], {"limit_train_batches": 0.1}, "leaves no batch of train, which has 1"),
        (["data.batch_size=0"], {}, "data.batch_size=0: expected"),
    ],
)
def test_what_cannot_start(overrides, options, message):
    with pytest.raises(ConfigError, match=message):
        first_step(*overrides, **options)


def test_what_is_said_before_it_starts():
    step = first_step("data.batch_size=16", "data.crop=[40,40]", "data.workers=11")
    assert [said.split(":")[0] for said in step.warnings] == [
        "train has 10 images, fewer than data.batch_size=16",
        "10 of 10 training images are smaller than the crops of 40x40",
        "data.workers=11 is more than the images of a split (10 in train, 10 in val)",
    ]
    assert step.padding == pytest.approx(1 - 32**2 / 40**2)
