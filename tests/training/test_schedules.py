import io
import math
from itertools import pairwise

import pytest
import torch
from conftest import ROOT
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch.optim.lr_scheduler import OneCycleLR

from segmentation.errors import ConfigError
from segmentation.training import schedules

CONF = ROOT / "conf" / "schedule"
SCHEDULES = ("constant", "cosine", "one_cycle", "poly")
every_schedule = pytest.mark.parametrize("name", SCHEDULES)


def two_groups(kind=torch.optim.SGD, rates=(1.0, 0.1)):
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": rate} for rate in rates]
    return kind(groups, lr=1.0)


def make(name, optimizer, total_steps, **options):
    return getattr(schedules, name)(optimizer, total_steps=total_steps, **options)


def step(optimizer, schedule):
    """One optimizer step; returns the learning rates that it was made with."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    schedule.step()
    return rates


def factors(name, total_steps, **options):
    optimizer = two_groups(rates=(1.0,))
    schedule = make(name, optimizer, total_steps, **options)
    return [step(optimizer, schedule)[0] for _ in range(total_steps)]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        # 100 steps, 20 of them warm-up: 1/20 at step 0, 10/20 at 9, 20/20 at 19, and progress
        # (step - 20) / 80 afterwards: 0 at 20, 1/2 at 60, 79/80 at 99.
        ("constant", {}, {0: 0.05, 9: 0.5, 19: 1, 20: 1, 60: 1, 99: 1}),
        ("poly", {}, {0: 0.05, 9: 0.5, 19: 1, 20: 1, 60: 0.5**0.9, 99: (1 / 80) ** 0.9}),
        ("poly", {"power": 1.0}, {0: 0.05, 19: 1, 20: 1, 60: 0.5, 99: 1 / 80}),
        (
            "cosine",
            {},
            {0: 0.05, 9: 0.5, 19: 1, 20: 1, 60: 0.5, 99: (1 + math.cos(math.pi * 79 / 80)) / 2},
        ),
        # Up from 1/25 at step 0 to the peak at 19, down from there to 1/25e4 at 99: 59 is half-way.
        ("one_cycle", {}, {0: 0.04, 19: 1, 59: (1 + 4e-6) / 2, 99: 4e-6}),
        ("one_cycle", {"div_factor": 4, "final_div_factor": 5}, {0: 0.25, 19: 1, 99: 0.05}),
    ],
)
def test_values_derived_by_hand(name, options, expected):
    values = factors(name, 100, warmup=0.2, **options)
    assert {index: values[index] for index in expected} == pytest.approx(expected, rel=1e-9)


@every_schedule
def test_without_warmup_it_starts_at_the_full_rate(name):
    assert factors(name, 10, warmup=0)[0] == 1


@every_schedule
@settings(max_examples=50, deadline=None)
@given(total_steps=st.integers(1, 300), warmup=st.floats(0, 1, exclude_max=True))
def test_rises_to_one_and_never_rises_again(name, total_steps, warmup):
    values = factors(name, total_steps, warmup=warmup)
    peak = values.index(max(values))
    assert values[peak] == pytest.approx(1)
    assert all(a < b for a, b in pairwise(values[: peak + 1]))
    assert all(a >= b for a, b in pairwise(values[peak:]))
    assert min(values) > 0


@every_schedule
def test_goes_on_beyond_the_end_as_it_ended(name):
    optimizer = two_groups()
    schedule = make(name, optimizer, 10)
    for _ in range(12):
        step(optimizer, schedule)
    end = {"constant": 1, "one_cycle": 4e-6}.get(name, 0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(end)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
@every_schedule
def test_groups_keep_their_ratio(name, kind):
    optimizer = two_groups(kind, rates=(1e-2, 1e-3))
    before = {key: value for key, value in optimizer.defaults.items() if key != "lr"}
    schedule = make(name, optimizer, 20)
    for _ in range(20):
        fast, slow = step(optimizer, schedule)
        assert slow == pytest.approx(fast / 10, rel=1e-12)
    for group in optimizer.param_groups:  # momentum and betas among them
        assert {key: group[key] for key in before} == before


@pytest.mark.parametrize(("total_steps", "warmup"), [(10, 0.3), (100, 0.25), (40, 0.05)])
def test_one_cycle_is_torchs_where_the_warmup_is_whole_steps(total_steps, warmup):
    reference_optimizer = two_groups(torch.optim.AdamW)
    reference = OneCycleLR(
        reference_optimizer, [1.0, 0.1], total_steps, pct_start=warmup, cycle_momentum=False
    )
    optimizer = two_groups(torch.optim.AdamW)
    schedule = schedules.one_cycle(optimizer, total_steps, warmup=warmup)
    for _ in range(total_steps):
        expected = step(reference_optimizer, reference)
        assert step(optimizer, schedule) == pytest.approx(expected, rel=1e-9)


@every_schedule
@pytest.mark.parametrize("stop", [1, 7, 10, 23])
def test_resumes_exactly_from_a_checkpoint(name, stop):
    optimizer = two_groups(torch.optim.AdamW)
    schedule = make(name, optimizer, 30, warmup=0.3)
    for _ in range(stop):
        step(optimizer, schedule)
    file = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}, file)
    expected = [step(optimizer, schedule) for _ in range(30 - stop)]

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed_optimizer = two_groups(torch.optim.AdamW, rates=(5.0, 5.0))
    resumed = make(name, resumed_optimizer, 30, warmup=0.3)
    resumed_optimizer.load_state_dict(saved["optimizer"])
    resumed.load_state_dict(saved["schedule"])
    assert [step(resumed_optimizer, resumed) for _ in range(30 - stop)] == expected


@every_schedule
def test_a_run_that_is_made_longer_goes_on(name):
    optimizer = two_groups()
    schedule = make(name, optimizer, 10)
    for _ in range(10):
        step(optimizer, schedule)
    longer = make(name, two_groups(), 40)
    longer.load_state_dict(schedule.state_dict())
    longer.step()
    planned = make(name, planned_optimizer := two_groups(), 40)
    for _ in range(11):
        step(planned_optimizer, planned)
    assert longer.get_last_lr() == planned.get_last_lr()


@every_schedule
@pytest.mark.parametrize(
    ("total_steps", "options", "message"),
    [
        (0, {}, "number of optimizer steps beforehand, 1 or more, not 0: set trainer.max_epochs"),
        (math.inf, {}, "1 or more, not inf"),
        (10, {"warmup": 1.0}, r"schedule.warmup is 1.0: it must be a number, 0 or more and below"),
        (10, {"warmup": -0.1}, r"schedule.warmup is -0.1"),
        (10, {"warmup": "long"}, r"schedule.warmup is 'long'"),
    ],
)
def test_refuses(name, total_steps, options, message):
    with pytest.raises(ConfigError, match=message):
        make(name, two_groups(), total_steps, **options)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("poly", "power", 0), ("one_cycle", "div_factor", 0.5), ("one_cycle", "final_div_factor", 0)],
)
def test_refuses_its_own_options(name, option, value):
    with pytest.raises(ConfigError, match=rf"schedule\.{option} is {value}"):
        make(name, two_groups(), 10, **{option: value})


def test_configured_schedules_are_complete():
    assert sorted(path.stem for path in CONF.glob("*.yaml")) == sorted(SCHEDULES)


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_configured_schedule_is_that_of_its_name(path):
    partial = instantiate(OmegaConf.load(path))
    assert partial.func is getattr(schedules, path.stem)
    optimizer = two_groups()
    schedule = partial(optimizer, total_steps=20)
    values = [step(optimizer, schedule)[0] for _ in range(20)]
    assert values == factors(path.stem, 20)  # the file and the function have the same defaults
