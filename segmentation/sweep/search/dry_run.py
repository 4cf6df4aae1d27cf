"""Use a search's sampler and pruner once before its first job: some arguments fail only in use."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import optuna

from segmentation.errors import ConfigError
from segmentation.sweep.search.space import Space
from segmentation.sweep.search.trials import make_pruner, make_sampler

EARLY = {"n_startup_trials": 1, "population_size": 2}
"""Arguments that say after how many trials a sampler or pruner begins its work, at their lowest."""

TRIALS, EPOCHS = 3, 3


def try_sampler(space: Space, objectives: int, options: dict[str, Any], seed: int) -> None:
    """Draw a few trials of a space, as the first ones of a search and as later ones.

    Args:
        space: the search space.
        objectives: their number.
        options: see `make_sampler`.
        seed: of the sampler.

    Raises:
        ConfigError: an argument with which the sampler can't draw.
    """

    def draw(trial: optuna.Trial) -> list[float]:
        space.overrides(trial)
        return [float(trial.number)] * objectives

    given = make_sampler(options, seed)
    later = make_sampler(_early(options, type(given)), seed)
    with _explained("sampler", options):
        study = optuna.create_study(directions=["maximize"] * objectives)
        for sampler in (given, later):
            study.sampler = sampler
            study.optimize(draw, TRIALS)


def try_pruner(options: dict[str, Any]) -> None:
    """Report the epochs of a few trials, each worse than the one before.

    Args:
        options: see `make_pruner`.

    Raises:
        ConfigError: an argument with which the pruner can't decide.
    """

    def report(trial: optuna.Trial) -> float:
        for epoch in range(EPOCHS):
            trial.report(-trial.number, epoch)
            trial.should_prune()
        return -trial.number

    given = make_pruner(options)
    later = make_pruner(_early(options, type(given)))
    with _explained("pruner", options):
        study = optuna.create_study(
            sampler=optuna.samplers.RandomSampler(0), direction="maximize", study_name="dry run"
        )
        for pruner in (given, later):
            study.pruner = pruner
            study.optimize(report, TRIALS)


def _early(options: Mapping[str, Any], kind: Callable[..., object]) -> dict[str, Any]:
    known = inspect.signature(kind).parameters
    return {**options, **{key: value for key, value in EARLY.items() if key in known}}


@contextmanager
def _explained(kind: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Keep Optuna from saying anything, and turn its errors into one message."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except Exception as error:
        arguments = [f"{key}={value}" for key, value in options.items() if key != "name"]
        raise ConfigError(
            f"sweep.{kind}: {options['name']} fails with {', '.join(arguments) or 'these ranges'}: "
            f"{type(error).__name__}: {error}"
        ) from error
    finally:
        optuna.logging.set_verbosity(level)
