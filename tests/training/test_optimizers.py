"""The optimizers of conf/optimizer, fused, in every memory layout."""

import pytest
import torch
from conftest import ROOT
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

CONF = ROOT / "conf" / "optimizer"
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


def configured(name, model, **options):
    config = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
    assert config.pop("lr_for_batch", "missing") is None
    return instantiate(config, **options)(model.parameters())


def net(layout):
    torch.manual_seed(0)
    kernels = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 5, 1)]
    return nn.Sequential(*kernels).to(memory_format=layout)


def train(model, optimizer, steps, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        images = torch.randn(2, 3, 12, 10, generator=generator)
        optimizer.zero_grad()
        model(images.to(memory_format=torch.channels_last)).square().mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def assert_same_weights(one, other):
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_configured_optimizers_are_complete():
    assert {path.stem for path in CONF.glob("*.yaml")} == set(OPTIMIZERS)


@every_optimizer
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_fused_is_the_same_optimizer(name, layout):
    fused, plain = net(layout), net(layout)
    optimizer = configured(name, fused)
    assert type(optimizer) is OPTIMIZERS[name]
    assert optimizer.defaults["fused"] is True
    train(fused, optimizer, 10, seed=1)
    train(plain, configured(name, plain, fused=False), 10, seed=1)
    assert_same_weights(fused, plain)
    assert not torch.equal(fused[0].weight, net(layout)[0].weight)
