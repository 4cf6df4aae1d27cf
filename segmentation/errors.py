"""The errors a user can meet: each message says what is wrong, where, and what to do.

Anything else that escapes a command is a defect of the project and keeps its stack trace.
"""

import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any


class SegmentationError(Exception):
    """Base of every error that a user can cause and mend; shown without a stack trace.

    Attributes:
        exit_code: of the command that it ends.
        partial: what the command has done all the same, for `--json`.
    """

    exit_code = 1
    partial: Mapping[str, Any] = {}


class ConfigError(SegmentationError):
    """An option has a value that cannot work."""


class DataError(SegmentationError):
    """Images or masks are missing, unreadable, or do not fit the class table."""


class ModelError(SegmentationError):
    """An encoder, a weights file or a checkpoint cannot be used."""


class TrainingError(SegmentationError):
    """Training had to stop: a loss that is not finite, a checkpoint that cannot be written."""


class Interrupted(TrainingError):  # noqa: N818  # nobody made a mistake
    """A signal stopped training after its state was saved.

    Args:
        message: what was saved and how to go on.
        signal: its number; the command exits with 128 more, as a shell has it.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal


def listed(words: Sequence[str], most: int = 5) -> str:
    """Return the first words of a list, and how many more there are."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'a' or 'b'?"`` for the nearest known words, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(name) for name in close)}?" if close else ""


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
