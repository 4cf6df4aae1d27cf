import math

import pytest
import torch
from torch import nn

from segmentation.errors import ConfigError
from segmentation.training.optimizer import parameter_groups


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.zeros(9, 2))
        self.scale = nn.Parameter(torch.ones(()))


class Net(nn.Module):
    """Norms, biases, a bias table, a scalar, and one kernel that encoder and decoder share."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), Attention())
        self.decoder = nn.Sequential(nn.ConvTranspose2d(4, 4, 2), nn.GroupNorm(2, 4))
        self.head = nn.Conv2d(4, 2, 1)
        self.tied = nn.Conv2d(3, 4, 3, bias=False)
        self.tied.weight = self.encoder[0].weight


def names_of(model, groups):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {group["name"]: {names[id(p)] for p in group["params"]} for group in groups}


def test_every_parameter_is_in_its_group():
    model = Net()
    groups = parameter_groups(model, lr=0.1, encoder_lr_factor=0.5, weight_decay=0.01)
    assert names_of(model, groups) == {
        "encoder": {"encoder.0.weight"},
        "encoder_no_decay": {
            "encoder.0.bias",
            "encoder.1.weight",
            "encoder.1.bias",
            "encoder.2.relative_position_bias_table",
            "encoder.2.scale",
        },
        "decoder": {"decoder.0.weight", "head.weight"},
        "decoder_no_decay": {"decoder.0.bias", "decoder.1.weight", "decoder.1.bias", "head.bias"},
    }
    assert {g["name"]: (g["lr"], g["weight_decay"]) for g in groups} == {
        "encoder": (0.05, 0.01),
        "encoder_no_decay": (0.05, 0.0),
        "decoder": (0.1, 0.01),
        "decoder_no_decay": (0.1, 0.0),
    }


def test_frozen_parameters_are_left_out_and_each_other_comes_once():
    model = Net()
    model.encoder[0].requires_grad_(False)
    model.head.weight.requires_grad_(False)
    groups = parameter_groups(model, lr=0.1, encoder_lr_factor=1, weight_decay=0.01)
    assert [group["name"] for group in groups] == [
        "encoder_no_decay",
        "decoder",
        "decoder_no_decay",
    ]
    found = [id(parameter) for group in groups for parameter in group["params"]]
    assert len(found) == len(set(found))
    assert set(found) == {id(p) for p in model.parameters() if p.requires_grad}


def test_an_optimizer_follows_the_groups():
    model = Net()
    groups = parameter_groups(model, lr=0.1, encoder_lr_factor=0, weight_decay=0.5)
    optimizer = torch.optim.AdamW(groups, lr=0.1, weight_decay=0.5)
    before = {name: value.clone() for name, value in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    changed = {n for n, value in model.named_parameters() if not torch.equal(value, before[n])}
    assert changed == {"decoder.0.weight", "head.weight"}  # decay alone, and only of kernels
    assert torch.allclose(model.head.weight, before["head.weight"] * (1 - 0.1 * 0.5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0}, r"optimizer.lr is 0: it must be a number, above 0"),
        ({"lr": "fast"}, r"optimizer.lr is 'fast'"),
        ({"encoder_lr_factor": -1}, r"encoder.lr_factor is -1"),
        ({"weight_decay": math.nan}, r"optimizer.weight_decay is nan"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ConfigError, match=message):
        parameter_groups(
            Net(), **{"lr": 0.1, "encoder_lr_factor": 1.0, "weight_decay": 0.0, **options}
        )


def test_refuses_a_model_that_cannot_learn():
    with pytest.raises(ConfigError, match="no trainable parameter"):
        parameter_groups(Net().requires_grad_(False), 0.1, 1.0, 0.0)
