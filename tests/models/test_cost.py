"""What a model costs, in parameters and in milliseconds."""

import pytest
import torch
from small_models import small_unet
from torch import nn

from segmentation.models.cost import BATCH, count_flops, count_parameters, latency_ms, speeds


class Clock:
    """A clock that models move, in place of the machine's."""

    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("segmentation.models.cost.time", clock)
    return clock


class Slow(nn.Module):
    """Takes a known time and records its inputs."""

    def __init__(self, clock, seconds, first=0.0):
        super().__init__()
        self.clock, self.seconds, self.first = clock, seconds, first
        self.given = []

    def forward(self, images):
        self.given.append((images.shape, images.dtype, self.training, torch.is_grad_enabled()))
        self.clock.now += self.first if len(self.given) == 1 else self.seconds
        return images


def test_parameters_are_counted_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 5, bias=False))
    model[0].requires_grad_(False)
    assert count_parameters(model) == (3 * 8 * 9 + 8) + (8 + 8) + 8 * 5


def test_latency_is_the_median_without_warm_up(clock):
    model = Slow(clock, 0.01, first=0.3)
    assert latency_ms(model, (48, 64), "cpu", seconds=0.6) == 10.0
    assert len(model.given) > 4
    assert set(model.given) == {((1, 3, 48, 64), torch.uint8, False, False)}
    assert model.training


def test_its_time_is_limited_but_there_is_always_one_forward_pass(clock):
    model = Slow(clock, 0.2, first=0.25).eval()
    assert latency_ms(model, (8, 8), "cpu", seconds=0.0) == 250.0
    assert len(model.given) == 1
    assert not model.training


def test_each_submodule_keeps_its_mode():
    """A frozen encoder is in evaluation mode while its model is training."""
    model = small_unet().train()
    model.encoder.eval()
    latency_ms(model, (32, 32), "cpu", seconds=0.0)
    count_flops(model, (32, 32))
    assert model.training
    assert model.decoder.training
    assert not any(module.training for module in model.encoder.modules())


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
    small, large = (count_flops(model, (side, side)) for side in (512, 1024))
    assert large == 4 * small
    assert model.training


class Recording(nn.Module):
    """Records its turns and inputs, and takes a known time for each image."""

    def __init__(self, clock, name, turns, seconds=0.0):
        super().__init__()
        self.clock, self.name, self.turns, self.seconds = clock, name, turns, seconds

    def forward(self, images):
        self.turns.append((self.name, tuple(images.shape), images.dtype))
        self.clock.now += self.seconds * len(images)
        return images


def test_models_take_turns_and_each_round_begins_with_the_next(clock):
    turns, shares = [], []
    models = [Recording(clock, name, turns, 0.001) for name in "abc"]
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


def test_speeds_are_those_of_the_models(clock):
    models = [Recording(clock, "slow", [], 0.01), Recording(clock, "fast", [], 0.002)]
    slow, fast = speeds(models, [(4, 4)] * 2, "cpu", seconds=0.4)
    assert (slow.latency_ms, slow.images_per_second) == pytest.approx((10, 100))
    assert (fast.latency_ms, fast.images_per_second) == pytest.approx((2, 500))


def test_a_slow_model_is_measured_once_after_its_warm_up(clock):
    turns = []
    (speed,) = speeds([Recording(clock, "x", turns, 0.02)], [(4, 4)], "cpu", seconds=0.0)
    assert speed.rounds == 1
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
