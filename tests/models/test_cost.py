"""What a model costs, in parameters and in milliseconds."""

import time

import pytest
import torch
from small_models import small_unet
from torch import nn

from segmentation.models.cost import count_parameters, latency_ms


class Slow(nn.Module):
    """Takes a known time and notes what it was given."""

    def __init__(self, seconds, first=0.0):
        super().__init__()
        self.seconds, self.first = seconds, first
        self.given = []

    def forward(self, images):
        self.given.append((images.shape, images.dtype, self.training, torch.is_grad_enabled()))
        time.sleep(self.first if len(self.given) == 1 else self.seconds)
        return images


def test_parameters_are_counted_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 5, bias=False))
    model[0].requires_grad_(False)
    assert count_parameters(model) == (3 * 8 * 9 + 8) + (8 + 8) + 8 * 5


def test_latency_is_that_of_one_image_without_the_first_ones():
    model = Slow(0.01, first=0.3)
    found = latency_ms(model, (48, 64), "cpu", seconds=0.6)
    assert found >= 10.0
    assert found < 100.0  # the machine may be busy, but the first took 300
    assert len(model.given) > 4
    assert set(model.given) == {((1, 3, 48, 64), torch.uint8, False, False)}
    assert model.training


def test_its_time_is_bounded_but_one_forward_is_always_made():
    model = Slow(0.2, first=0.2).eval()
    start = time.perf_counter()
    assert latency_ms(model, (8, 8), "cpu", seconds=0.0) >= 200.0
    assert time.perf_counter() - start < 2.0
    assert len(model.given) == 1
    assert not model.training


def test_a_larger_image_takes_longer():
    model = small_unet()
    small, large = (latency_ms(model, (side, side), "cpu", 0.5) for side in (32, 256))
    assert large > 2 * small


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_stays_also_when_the_model_fails(training):
    model = nn.Conv2d(1, 1, 1).train(training)
    with pytest.raises(RuntimeError):
        latency_ms(model, (8, 8), "cpu")
    assert model.training == training
