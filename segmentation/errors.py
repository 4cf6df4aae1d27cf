"""Errors caused by user input, and the checks that raise them.

Each message says what is wrong, where, and how to fix it. Any other exception that escapes a
command is a bug of the project and keeps its stack trace.
"""

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError


class SegmentationError(Exception):
    """Base of every error that a user can cause and fix; shown without a stack trace.

    Attributes:
        exit_code: exit status of the command that it ends.
        partial: results that the command produced before it failed, for `--json`.
    """

    exit_code = 1
    partial: Mapping[str, Any] = {}


class ConfigError(SegmentationError):
    """An option has an invalid value."""


class DataError(SegmentationError):
    """Images or masks are missing, unreadable, or do not match the class table."""


class ModelError(SegmentationError):
    """An encoder, a weights file or a checkpoint cannot be used."""


class TrainingError(SegmentationError):
    """Training had to stop: a non-finite loss, a checkpoint that could not be written."""


class Interrupted(TrainingError):  # noqa: N818  # nobody made a mistake
    """A signal stopped training after its state was saved.

    Args:
        message: where the state was saved and how to resume.
        signal: its number; the exit status is 128 more, as in a shell.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal


def listed(words: Sequence[str], most: int = 5) -> str:
    """Join the first `most` words, and count the others: ``"a, b and 3 more"``."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'a' or 'b'?"`` for the closest known words, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(name) for name in close)}?" if close else ""


def check_number(name: str, value: object, rule: str, holds: Callable[[float], bool]) -> float:
    """Return `value` as a float if it is a finite number for which `holds` is true.

    Args:
        name: the option as the user knows it, such as ``"gamma of Focal"``.
        value: any value of a configuration.
        rule: `holds` in words, such as ``"0 or more"``.
        holds: the condition, called with finite numbers only.

    Raises:
        ConfigError: not a number, not finite, or `holds` is false.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and holds(number):
            return number
    raise ConfigError(f"{name} is {value!r}: it must be a number, {rule}.")


MAX_SEED = 2**32 - 1
"""NumPy's and Lightning's generators take seeds from 0 to this."""


def check_seed(name: str, value: Any) -> int:
    """Return `value` if every random generator takes it as a seed.

    Raises:
        ConfigError: not a whole number, negative, or above `MAX_SEED`.
    """
    if check_count(name, value, 0) > MAX_SEED:
        raise ConfigError(f"{name}={value}: expected at most {MAX_SEED}, which is 2^32 - 1.")
    return value


def check_count(name: str, value: Any, least: int) -> int:
    """Return `value` if it is a whole number of at least `least`.

    Raises:
        ConfigError: not a whole number, or smaller.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name}={value!r}: expected a whole number of {least} or more.")
    return value


def check_flag(name: str, value: Any) -> bool:
    """Return `value` if it is true or false.

    Raises:
        ConfigError: it is anything else, which Python would take for true.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"{name}={value!r}: expected true or false.")
    return value


_RULES = {
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping",
    "finite_number": "must be finite",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_type": "must be a mapping",
    "string_type": "must be text",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
    "tuple_type": "must be a list",
}
"""Rules in the words of a configuration, where pydantic's own are Python's."""


@contextmanager
def validating(group: str = "", known: Iterable[str] = ()) -> Iterator[None]:
    """Turn a ValidationError of pydantic into a ConfigError with the option, its value, the rule.

    Args:
        group: the option group that is validated, such as ``"decoder"``.
        known: the options of the group, suggested for a misspelt one.

    Raises:
        ConfigError: for the first invalid value.
    """
    from pydantic import ValidationError  # takes 0.2 s, too long for `--help`

    try:
        yield
    except ValidationError as error:
        raise ConfigError(explain_validation(error, group, known)) from error


def explain_validation(error: "ValidationError", group: str = "", known: Iterable[str] = ()) -> str:
    """Return the first invalid value of a ValidationError and its rule; see `validating`."""
    problem = error.errors(include_url=False)[0]
    path: Sequence[str | int] = [*([group] if group else []), *problem["loc"]]
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    name = "".join(steps).removeprefix(".")
    kind = problem["type"]
    if kind == "missing":
        return f"{name} is missing."
    if kind == "extra_forbidden":
        return f"{name} does not exist.{did_you_mean(str(path[-1]), known)}"
    if kind in _RULES:
        rule = _RULES[kind].format(**problem.get("ctx", {}))
    else:
        rule = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    value = repr(problem["input"])
    value = value if len(value) <= 100 else value[:97] + "..."
    return f"{name}={value}: {rule}." if problem["loc"] else f"{rule}."
