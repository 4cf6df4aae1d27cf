"""Learning-rate schedules, stepped after every optimizer step.

A schedule multiplies the learning rates of all parameter groups by one factor, a closed formula of
the step, applied by `LambdaLR`. Torch's composed schedulers fail at edges: `SequentialLR` and the
recursive forms drift by rounding; `OneCycleLR` divides by zero for a warm-up of one step, and
raises when a run is resumed for longer than planned.

All take the same arguments:

- `optimizer`: its learning rates are those at factor 1.
- `total_steps`: optimizer steps of the whole training, 1 or more.
- `warmup`: the share of them, 0 to below 1, over which the learning rate rises: linearly, and along
  half a cosine for `one_cycle`.

Each raises a ConfigError for an argument out of range.
"""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from segmentation.errors import ConfigError, check_number


def constant(optimizer: Optimizer, total_steps: int, warmup: float = 0.05) -> LambdaLR:
    """Return the full learning rate after the warm-up."""
    return _schedule(optimizer, total_steps, warmup, lambda progress: 1.0)


def poly(
    optimizer: Optimizer, total_steps: int, warmup: float = 0.05, power: float = 0.9
) -> LambdaLR:
    """Return the decay ``(1 - progress)^power`` after the warm-up (Chen et al. 2017, DeepLab).

    Args:
        optimizer, total_steps, warmup: see the module.
        power: above 0; 1 is linear.
    """
    power = check_number("schedule.power", power, "above 0", lambda value: value > 0)
    return _schedule(optimizer, total_steps, warmup, lambda progress: (1 - progress) ** power)


def cosine(optimizer: Optimizer, total_steps: int, warmup: float = 0.05) -> LambdaLR:
    """Return half a cosine to 0 after the warm-up (Loshchilov & Hutter 2017, eq. 5, one period)."""
    return _schedule(optimizer, total_steps, warmup, lambda progress: _half_cosine(1, 0, progress))


def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    warmup: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> LambdaLR:
    """Return one cycle (Smith & Topin 2019): half a cosine up, half a cosine down to almost 0.

    The learning rates are those of torch's `OneCycleLR` where the warm-up is a whole number of
    steps, 2 or more. Momentum is not cycled.

    Args:
        optimizer, total_steps, warmup: see the module.
        div_factor: peak over initial learning rate, 1 or more.
        final_div_factor: initial over final learning rate, 1 or more.
    """
    for name, value in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
        check_number(f"schedule.{name}", value, "1 or more", lambda value: value >= 1)
    start = 1 / div_factor
    end = start / final_div_factor
    steps = _warmup_steps(total_steps, warmup)

    def factor(step: int) -> float:
        if step < steps - 1:
            return _half_cosine(start, 1, step / (steps - 1))
        peak = max(0, steps - 1)
        return _half_cosine(1, end, min(1.0, (step - peak) / max(1, total_steps - 1 - peak)))

    return LambdaLR(optimizer, factor)


def _schedule(
    optimizer: Optimizer, total_steps: int, warmup: float, decay: Callable[[float], float]
) -> LambdaLR:
    """Return a linear warm-up, its last step at factor 1, and `decay` of progress 0..1 after it."""
    steps = _warmup_steps(total_steps, warmup)

    def factor(step: int) -> float:
        if step < steps:
            return (step + 1) / steps
        return decay(min(1.0, (step - steps) / (total_steps - steps)))

    return LambdaLR(optimizer, factor)


def _warmup_steps(total_steps: int, warmup: float) -> int:
    """Return the steps of the warm-up, fewer than all; checks both arguments."""
    if not isinstance(total_steps, int) or total_steps < 1:
        raise ConfigError(
            f"a schedule needs the number of optimizer steps beforehand, 1 or more, not "
            f"{total_steps}: set trainer.max_epochs or trainer.max_steps, or raise it."
        )
    share = check_number(
        "schedule.warmup", warmup, "0 or more and below 1", lambda value: 0 <= value < 1
    )
    return min(round(share * total_steps), total_steps - 1)


def _half_cosine(start: float, end: float, progress: float) -> float:
    """Return the value at `progress`, 0..1, on half a cosine from `start` to `end`."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
