"""What a model costs, in parameters and in milliseconds."""

import time

import pytest
import torch
from small_models import small_unet
from torch import nn

from segmentation.models.cost import BATCH, count_flops, count_parameters, latency_ms, speeds


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


class Floats(nn.Sequential):
    """A stack that takes `uint8` images, as models here do."""

    def forward(self, images):
        return super().forward(images.float())


def test_flops_are_counted_by_hand():
    model = Floats(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(8, 5, 1))
    height, width = 10, 12
    multiply_adds = height * width * (8 * 3 * 9 + 5 * 8)
    assert count_flops(model, (height, width)) == 2 * multiply_adds


def test_a_stride_and_groups_divide_the_flops():
    model = Floats(nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3))
    assert count_flops(model, (8, 8)) == 2 * 4 * 4 * 6 * (3 // 3) * 9


def test_a_matrix_product_counts_too():
    model = Floats(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 7))
    assert count_flops(model, (8, 8)) == 2 * 12 * 7


def test_a_unets_flops_grow_with_the_pixels_and_its_mode_stays():
    model = small_unet().train()
    small, large = (count_flops(model, (side, side)) for side in (32, 64))
    assert large == 4 * small
    assert model.training


class Recording(nn.Module):
    """Notes whose turn it is, and what it was given."""

    def __init__(self, name, turns, seconds=0.0):
        super().__init__()
        self.name, self.turns, self.seconds = name, turns, seconds

    def forward(self, images):
        self.turns.append((self.name, tuple(images.shape), images.dtype))
        time.sleep(self.seconds * len(images))
        return images


def test_models_take_turns_and_each_round_begins_with_the_next():
    turns, shares = [], []
    models = [Recording(name, turns, 0.001) for name in "abc"]
    found = speeds(models, [(8, 16)] * 3, "cpu", seconds=0.06, after_round=shares.append)
    rounds = len(shares)
    assert rounds >= 4
    expected = ["abc", "bca", "cab"]
    names = [turn[0] for turn in turns[::2]]
    assert names == [name for index in range(rounds) for name in expected[index % 3]]
    assert [turn[1] for turn in turns[:2]] == [(1, 3, 8, 16), (BATCH, 3, 8, 16)]
    assert {turn[2] for turn in turns} == {torch.uint8}
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert [one.rounds for one in found] == [rounds - 1] * 3  # the first is warm-up


def test_speeds_are_those_of_the_models():
    models = [Recording("slow", [], 0.01), Recording("fast", [], 0.002)]
    slow, fast = speeds(models, [(4, 4)] * 2, "cpu", seconds=0.4)
    assert 10 <= slow.latency_ms < 50
    assert 2 <= fast.latency_ms < slow.latency_ms
    assert slow.images_per_second <= 100
    assert slow.images_per_second < fast.images_per_second <= 500


def test_a_slow_model_is_measured_once_after_its_warm_up():
    turns = []
    (found,) = speeds([Recording("x", turns, 0.02)], [(4, 4)], "cpu", seconds=0.0)
    assert found.rounds == 1
    assert len(turns) == 4


class Kind(nn.Module):
    """Notes in what precision convolutions work."""

    def __init__(self):
        super().__init__()
        self.convolution, self.kinds = nn.Conv2d(3, 2, 1), set()

    def forward(self, images):
        result = self.convolution(images.float())
        self.kinds.add(result.dtype)
        return result


@pytest.mark.parametrize(("bfloat16", "kind"), [(True, torch.bfloat16), (False, torch.float32)])
def test_speeds_in_the_precision_that_is_asked_for(bfloat16, kind):
    model = Kind()
    speeds([model], [(4, 4)], "cpu", seconds=0.0, bfloat16=bfloat16)
    assert model.kinds == {kind}
