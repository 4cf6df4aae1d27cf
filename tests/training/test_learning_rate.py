"""The learning rate of another global batch."""

import hydra
import pytest
import torch

from segmentation.build.module import build_optimizer, describe_optimizer
from segmentation.config import CONF
from segmentation.errors import ConfigError
from segmentation.training.optimizer import lr_factor


def compose(*overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("train", [*overrides])


@pytest.mark.parametrize(
    ("name", "factor"), [("Adam", 2.0), ("AdamW", 2.0), ("RMSprop", 2.0), ("SGD", 4.0)]
)
def test_square_root_for_adam_and_in_proportion_for_sgd(name, factor):
    assert lr_factor(f"torch.optim.{name}", 8, 32) == factor
    assert lr_factor(name, 32, 8) == 1 / factor
    assert lr_factor(name, 8, 8) == 1
    assert lr_factor(name, None, 32) == 1


def test_an_optimizer_without_a_rule_is_refused():
    assert lr_factor("torch.optim.Adagrad", None, 32) == 1
    with pytest.raises(ConfigError, match=r"no scaling rule for Adagrad.*lr_for_batch=null"):
        lr_factor("torch.optim.Adagrad", 8, 32)
    for wrong in (0, "8", 8.0):
        with pytest.raises(ConfigError, match=r"optimizer.lr_for_batch=.* whole number"):
            lr_factor("torch.optim.Adam", wrong, 32)


@pytest.mark.parametrize(
    ("optimizer", "options", "factor"),
    [
        ("adamw", [], 1.0),
        ("adamw", ["optimizer.lr_for_batch=8", "data.batch_size=32"], 2.0),
        ("adam", ["optimizer.lr_for_batch=8", "trainer.accumulate_grad_batches=4"], 2.0),
        ("sgd", ["optimizer.lr_for_batch=8", "data.batch_size=16"], 2.0),
        ("sgd", ["optimizer.lr_for_batch=8", "data.batch_size=16", "trainer=ddp_cpu"], 2.0),
        ("adamw", ["optimizer.lr_for_batch=2", "data.batch_size=auto"], 2.0),
    ],
)
def test_the_optimizer_gets_the_learning_rate_and_nothing_of_the_rule(optimizer, options, factor):
    cfg = compose(f"optimizer={optimizer}", "data.batch_size=8", *options)
    made = build_optimizer(cfg)
    assert made.keywords["lr"] == factor * cfg.optimizer.lr
    assert "lr_for_batch" not in made.keywords
    real = made([torch.nn.Parameter(torch.zeros(2))])
    assert real.param_groups[0]["lr"] == factor * cfg.optimizer.lr


def test_a_learning_rate_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"optimizer\.lr is 'fast'"):
        build_optimizer(compose("optimizer.lr=fast"))


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], "AdamW, learning rate 0.001"),
        (["optimizer.lr_for_batch=16"], "AdamW, learning rate 0.001"),
        (
            ["optimizer.lr_for_batch=8"],
            "AdamW, learning rate 0.00141 (0.001 is for a batch of 8; for 16, 1.41 times)",
        ),
        (
            ["optimizer=sgd", "optimizer.lr_for_batch=8"],
            "SGD, learning rate 0.02 (0.01 is for a batch of 8; for 16, 2 times)",
        ),
    ],
)
def test_the_summary_says_it(options, shown):
    assert describe_optimizer(compose("data.batch_size=16", *options)) == shown
