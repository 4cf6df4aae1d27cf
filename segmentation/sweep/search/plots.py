"""What a study has found, as plain values that a page can draw."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

ENOUGH = 20
"""Finished trials from which on importance says something."""
TOP, TOP_TRIALS = 0.1, 5
"""PED-ANOVA looks at the best tenth, but at five trials at least, as its authors advise."""


@dataclass(frozen=True)
class Point:
    """A mark in a plot.

    Attributes:
        x, y: its place, 0 to 1.
        kind: ``complete``, ``pruned`` or ``front``.
        said: the same in words.
    """

    x: float
    y: float
    kind: str
    said: str


@dataclass(frozen=True)
class Plot:
    """Points, a line of steps or none, and round numbers at the axes as (label, place 0 to 1)."""

    said: str
    names: tuple[str, str]
    points: list[Point]
    line: list[tuple[float, float]]
    x_ticks: list[tuple[str, float]]
    y_ticks: list[tuple[str, float]]


def history(study: Study) -> Plot | None:
    """Return score by trial, and the best so far; None before a trial has a score.

    A pruned trial is shown at its last score.
    """
    trials = [one for one in _with_value(study) if one.value is not None]
    if not trials:
        return None
    numbers = [float(one.number) for one in trials]
    values = [float(one.value) for one in trials if one.value is not None]
    x, y = _Axis(0, max(numbers)), _Axis(min(values), max(values))
    line: list[tuple[float, float]] = []
    best = -math.inf
    for number, value, trial in zip(numbers, values, trials, strict=True):
        if trial.state == TrialState.COMPLETE and value > best:
            if line:
                line.append((x.place(number), y.place(best)))
            best = value
            line.append((x.place(number), y.place(best)))
    if line:
        line.append((1.0, line[-1][1]))
    points = [
        Point(
            x.place(number), y.place(value), one.state.name.lower(),
            f"trial {one.number}: {value:.4f}"
            + ("" if one.state == TrialState.COMPLETE else " when it was stopped"),
        )
        for number, value, one in zip(numbers, values, trials, strict=True)
    ]  # fmt: skip
    reached = f"the best of them has {best:.4f}" if line else "none has run to its end"
    said = f"Score of {len(trials)} trials; {reached}."
    return Plot(said, ("trial", "score"), points, line, x.ticks(), y.ticks())


def front(study: Study) -> list[FrozenTrial]:
    """Return the trials that no other one beats in every objective, by the first objective."""
    best = {one.number: one for one in study.best_trials}
    sign = -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
    return sorted(best.values(), key=lambda one: sign * one.values[0])


def pareto(study: Study, names: Sequence[str]) -> Plot | None:
    """Return the first objective over the second, with the front marked; None without trials.

    Args:
        study: of two objectives or more.
        names: of its objectives.
    """
    trials = _with_value(study)
    if not trials:
        return None
    optimal = {one.number for one in front(study)}
    across, up = [one.values[1] for one in trials], [one.values[0] for one in trials]
    x, y = _Axis(min(across), max(across)), _Axis(min(up), max(up))
    points = [
        Point(
            x.place(right), y.place(high), "front" if one.number in optimal else "complete",
            f"trial {one.number}: {names[0]} {high:.4g}, {names[1]} {right:.4g}",
        )
        for one, right, high in zip(trials, across, up, strict=True)
    ]  # fmt: skip
    points.sort(key=lambda point: point.kind == "front")  # drawn last, on top
    said = f"{names[0]} over {names[1]} of {len(trials)} trials; {len(optimal)} are on the front."
    return Plot(said, (names[1], names[0]), points, [], x.ticks(), y.ticks())


@dataclass(frozen=True)
class Importance:
    """How much each hyperparameter matters.

    Attributes:
        shares: by key, the largest first, 1 in all; empty where there is nothing to say.
        said: how they were found, or why not.
    """

    shares: dict[str, float]
    said: str


def importance(study: Study) -> Importance:
    """Return PED-ANOVA's importances (Watanabe et al., IJCAI 2023, arXiv:2304.10255).

    fANOVA would need scikit-learn and has no say about the best trials in particular. With several
    objectives the best are those on the Pareto front, and next to it.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(finished) < ENOUGH:
        return Importance({}, f"After {ENOUGH} finished trials; there are {len(finished)}.")
    top = max(TOP, TOP_TRIALS / len(finished))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=top)
    try:
        shares = get_param_importances(study, evaluator=evaluator)
    except (ValueError, RuntimeError) as error:
        return Importance({}, f"Cannot be told: {error}")
    return Importance(
        shares,
        f"PED-ANOVA: in what the best {100 * top:.0f}% differ from all {len(finished)} finished "
        "trials. Pruned trials do not count; nor does it say which values are the good ones.",
    )


class _Axis:
    """From values to places between 0 and 1, with some room at both ends."""

    def __init__(self, low: float, high: float) -> None:
        room = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
        self.low, self.high = low - room, high + room

    def place(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[str, float]]:
        """Return three to six round numbers."""
        rough = (self.high - self.low) / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * one for one in (1, 2, 5, 10) if power * one >= rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        digits = max(0, -math.floor(math.log10(step)))
        return [
            (f"{number * step:,.{digits}f}".replace(",", " "), self.place(number * step))
            for number in range(first, last + 1)
        ]


def _with_value(study: Study) -> list[FrozenTrial]:
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    return [one for one in study.get_trials(deepcopy=False, states=states) if one.values]
