"""One check for the numbers that losses, schedules and parameter groups take from options."""

import math
from collections.abc import Callable

from segmentation.errors import ConfigError


def check_number(name: str, value: object, rule: str, holds: Callable[[float], bool]) -> float:
    """Return `value` as a float if it is a finite number for which `holds` is true.

    Args:
        name: what the user sees: the option and who takes it, such as ``"gamma of Focal"``.
        value: what was given; anything that a configuration can hold.
        rule: `holds` in words, such as ``"0 or more"``.
        holds: the condition, asked only of finite numbers.

    Raises:
        ConfigError: not a number, not finite, or `holds` is false.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and holds(number):
            return number
    raise ConfigError(f"{name} is {value!r}: it must be a number, {rule}.")
