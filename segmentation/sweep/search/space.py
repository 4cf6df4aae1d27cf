"""Hydra's override grammar as Optuna's distributions, and drawn values as overrides.

choice(a, b), a,b, glob(*)          one of the values
range(1, 9, 2), range(0, 1, 0.25)   a number on a grid; like Python's, without its end
interval(0.0, 1.0)                  a number between
int(interval(1, 8))                 a whole number, both ends included
tag(log, interval(1e-5, 1e-2))      evenly spread over orders of magnitude; int() too
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import optuna
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from segmentation.errors import ConfigError

DIGITS = 6
"""Digits of a drawn number in an override, and so in a directory's name; the study has all 17."""


@dataclass(frozen=True)
class Space:
    """The search space, and the overrides that every trial shares.

    Args:
        fixed: overrides that every trial gets.
        distributions: by the key of the override.
    """

    fixed: tuple[str, ...]
    distributions: dict[str, BaseDistribution]

    @classmethod
    def from_overrides(cls, overrides: Sequence[Override]) -> "Space":
        """Split overrides into searched and fixed ones; of equal keys the last counts.

        Raises:
            ConfigError: nothing is searched, or a range that Optuna does not have.
        """
        last = {override.get_key_element(): override for override in overrides}
        searched = {key: word for key, word in last.items() if word.is_sweep_override()}
        if not searched:
            raise ConfigError(
                "the search has nothing to search. Type a range of values, as "
                "'optimizer.lr=tag(log,interval(1e-4,1e-2))'; sweep=grid needs none."
            )
        fixed = tuple(str(word.input_line) for key, word in last.items() if key not in searched)
        return cls(fixed, {key: distribution_of(word) for key, word in searched.items()})

    def overrides(self, trial: optuna.Trial) -> list[str]:
        """Draw the values that `trial` lacks, and return the overrides of its job."""
        drawn = [
            f"{key}={_suggest(trial, key, distribution)}"
            for key, distribution in self.distributions.items()
        ]
        return [*self.fixed, *drawn]

    def corners(self) -> list[list[str]]:
        """Return overrides that together hold every choice at least once.

        Composing them finds a misspelt one before any trial draws it.
        """
        values = {key: _examples(distribution) for key, distribution in self.distributions.items()}
        return [
            [*self.fixed, *(f"{key}={column[row % len(column)]}" for key, column in values.items())]
            for row in range(max(map(len, values.values())))
        ]


def distribution_of(override: Override) -> BaseDistribution:
    """Return the distribution that a sweep override describes.

    Raises:
        ConfigError: it is empty, or contradicts its tags.
    """
    value = override.value()
    log = "log" in getattr(value, "tags", ())
    try:
        if isinstance(value, IntervalSweep):
            assert value.start is not None
            assert value.end is not None
            if isinstance(value.start, int) and isinstance(value.end, int):
                return IntDistribution(value.start, value.end, log=log)
            return FloatDistribution(value.start, value.end, log=log)
        if isinstance(value, RangeSweep):
            return _grid(value, log)
        return CategoricalDistribution(tuple(override.sweep_string_iterator()))
    except ValueError as error:
        raise ConfigError(f"{override.input_line} cannot be searched: {error}") from error


def _grid(value: RangeSweep, log: bool) -> BaseDistribution:
    numbers = list(value.range())
    if not numbers:
        raise ValueError("it has no values")
    step = Decimal(str(value.step))
    start = Decimal(str(value.start))
    low, high = sorted((start, start + (len(numbers) - 1) * step))
    if isinstance(numbers[0], int):
        return IntDistribution(int(low), int(high), step=int(abs(step)), log=log)
    return FloatDistribution(float(low), float(high), step=float(abs(step)), log=log)


def _suggest(trial: optuna.Trial, key: str, values: BaseDistribution) -> str | int:
    if isinstance(values, IntDistribution):
        return trial.suggest_int(key, values.low, values.high, step=values.step, log=values.log)
    if isinstance(values, FloatDistribution):
        value = trial.suggest_float(key, values.low, values.high, step=values.step, log=values.log)
        return f"{value:.{DIGITS}g}"
    assert isinstance(values, CategoricalDistribution)
    return str(trial.suggest_categorical(key, values.choices))


def _examples(values: BaseDistribution) -> Sequence[object]:
    if isinstance(values, CategoricalDistribution):
        return values.choices
    assert isinstance(values, IntDistribution | FloatDistribution)
    return (values.low,)
