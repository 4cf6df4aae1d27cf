"""Checks of the values that options give, where they are used."""

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

from segmentation.errors import ConfigError, did_you_mean


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


def check_count(name: str, value: Any, least: int) -> int:
    """Return `value` if it is a whole number of at least `least`.

    Raises:
        ConfigError: it is not; the message has the option's name.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name}={value!r}: expected a whole number of {least} or more.")
    return value


def check_arguments(name: str, function: partial) -> None:
    """Check that a function knows the arguments that the configuration binds to it.

    Raises:
        ConfigError: it does not know one of them.
    """
    known = inspect.signature(function.func).parameters
    for key in function.keywords:
        if key not in known:
            called = getattr(function.func, "__name__", name)
            raise ConfigError(f"{called} has no option {name}.{key}.{did_you_mean(key, known)}")
