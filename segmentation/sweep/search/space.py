"""From Hydra's override grammar to Optuna's distributions, and from drawn values back to overrides.

choice(a, b), a,b, glob(*)          one of them
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
"""Of a drawn number in an override, which a directory is named after; the study has all 17."""


@dataclass(frozen=True)
class Space:
    """What a search may vary, and what it keeps.

    Args:
        fixed: overrides that every trial gets.
        distributions: by the key of the override.
    """

    fixed: tuple[str, ...]
    distributions: dict[str, BaseDistribution]

    @classmethod
    def from_overrides(cls, overrides: Sequence[Override]) -> "Space":
        """Sort overrides into what is searched and what is fixed; of equal keys the last counts.

        Raises:
            ConfigError: nothing is searched, or a range that Optuna does not know.
        """
        last = {override.get_key_element(): override for override in overrides}
        searched = {key: one for key, one in last.items() if one.is_sweep_override()}
        if not searched:
            raise ConfigError(
                "the search has nothing to search. Type a range of values, as "
                "'optimizer.lr=tag(log,interval(1e-4,1e-2))'; sweep=grid needs none."
            )
        fixed = tuple(str(one.input_line) for key, one in last.items() if key not in searched)
        return cls(fixed, {key: distribution_of(one) for key, one in searched.items()})

    def overrides(self, trial: optuna.Trial) -> list[str]:
        """Draw what `trial` has not drawn yet, and return the overrides of its job."""
        drawn = [f"{key}={_suggest(trial, key, one)}" for key, one in self.distributions.items()]
        return [*self.fixed, *drawn]

    def corners(self) -> list[list[str]]:
        """Return overrides that together hold every choice at least once.

        Composing them finds a misspelt one before any trial draws it.
        """
        values = {key: _examples(one) for key, one in self.distributions.items()}
        return [
            [*self.fixed, *(f"{key}={some[row % len(some)]}" for key, some in values.items())]
            for row in range(max(map(len, values.values())))
        ]


def distribution_of(override: Override) -> BaseDistribution:
    """Return the distribution that a sweep override describes.

    Raises:
        ConfigError: it is empty, or it cannot be what its tags say.
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


def _suggest(trial: optuna.Trial, key: str, one: BaseDistribution) -> str | int:
    if isinstance(one, IntDistribution):
        return trial.suggest_int(key, one.low, one.high, step=one.step, log=one.log)
    if isinstance(one, FloatDistribution):
        value = trial.suggest_float(key, one.low, one.high, step=one.step, log=one.log)
        return f"{value:.{DIGITS}g}"
    assert isinstance(one, CategoricalDistribution)
    return str(trial.suggest_categorical(key, one.choices))


def _examples(one: BaseDistribution) -> Sequence[object]:
    if isinstance(one, CategoricalDistribution):
        return one.choices
    assert isinstance(one, IntDistribution | FloatDistribution)
    return (one.low,)
