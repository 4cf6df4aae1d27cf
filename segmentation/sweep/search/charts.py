"""Charts of a study by `optuna.visualization`, in the style of our pages.

Importances stay ours: `plot_param_importances` asks, for several objectives, which parameters make
each one *low*, even if it is maximized, and cannot show the importance for the Pareto front.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import optuna
import plotly.graph_objects as go
from optuna import visualization
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from segmentation.report.charts.chart import PAPER, SERIES, Chart, figure
from segmentation.report.table import Cell, Grid, Row, number

ENOUGH = 20
"""Finished trials below which importances mean nothing."""
TOP, TOP_TRIALS = 0.1, 5
"""PED-ANOVA looks at the best tenth, but at five trials at least, as its authors advise."""
HEIGHT = 380


@dataclass(frozen=True)
class Importance:
    """The importance of each hyperparameter.

    Attributes:
        shares: by key, the largest first, 1 in all; empty if there are none.
        text: the method, or why there are none.
    """

    shares: dict[str, float]
    text: str

    @property
    def bars(self) -> list[dict[str, object]]:
        """The shares as rows of the macro `bars` of charts.html."""
        return [
            {"label": key, "color": None, "shares": [share]} for key, share in self.shares.items()
        ]


def study_charts(study: Study) -> list[Chart]:
    """Draw a study; nothing before a trial has finished."""
    if not _finished(study):
        return []
    names: list[str] = study.user_attrs["settings"]["objectives"]
    first = history(study) if len(names) == 1 else pareto_front(study, names)
    return [first, parameters(study, names)]


def history(study: Study) -> Chart:
    """Draw the score of each trial, the best so far, and the scores of each epoch."""
    drawn = visualization.plot_optimization_history(study, target_name="score")
    drawn.data[0].update(name="finished", marker={"color": SERIES[0], "size": 8})
    drawn.data[1].update(name="best so far", line={"color": SERIES[1], "shape": "hv"})
    figures = {"by trial": _styled(drawn, xaxis_title="trial", showlegend=True)}

    # A pruned trial has no point in the history; its reported epochs are here, and in the table.
    if any(trial.intermediate_values for trial in study.get_trials(deepcopy=False)):
        epochs = visualization.plot_intermediate_values(study)
        figures["by epoch"] = _styled(epochs, xaxis_title="epoch, from 0", yaxis_title="score")
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    rows: list[Row] = [
        [_trial_number(trial), trial.state.name.lower(), number(trial.value, ".4f")]
        for trial in trials
    ]
    text = (
        f"Score of {len(_finished(study))} finished trials; the best has {study.best_value:.4f}. "
        f"{len(trials) - len(_finished(study))} pruned trials are in the table at their last score."
    )
    grid = Grid("score by trial", ["trial", "state", "score"], rows)
    return Chart("history", text, figures, grid)


def pareto_front(study: Study, names: Sequence[str]) -> Chart:
    """Draw the first of two or more objectives over the second, with the Pareto front marked."""
    drawn = visualization.plot_pareto_front(
        study, target_names=[names[1], names[0]], targets=lambda trial: trial.values[1::-1]
    )
    edge = {"color": PAPER, "width": 1}
    others, front = drawn.data
    others.name, front.name = "others", "on the front: no trial is better in every objective"
    others.marker = {"color": SERIES[0], "size": 8, "line": edge}
    front.marker = {"color": SERIES[1], "size": 11, "symbol": "square", "line": edge}
    drawn.update_traces(showlegend=True)

    # The trials on the front, each once, the best in the first objective first
    sign = -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
    unique = {trial.number: trial for trial in study.best_trials}.values()
    best = sorted(unique, key=lambda trial: sign * trial.values[0])
    text = (
        f"{names[0]} over {names[1]} of {len(_finished(study))} trials; {len(best)} are on the "
        "front."
    )
    grid = _trial_grid("Pareto front", best, names, study.user_attrs["settings"]["searched"])
    return Chart("front", text, {"": _styled(drawn, showlegend=True)}, grid)


def parameters(study: Study, names: Sequence[str]) -> Chart:
    """Draw the trials over their parameters: all as parallel coordinates, each as a slice.

    Slices show the first of the objectives, whose names are `names`.
    """
    named = _with_names(study, names)
    parallel = visualization.plot_parallel_coordinate(named, target_name=names[0])
    figures = {"all, as parallel coordinates": _styled(parallel)}
    trials = _finished(study)
    keys = sorted({key for trial in trials for key in trial.params})
    for key in keys:
        drawn = visualization.plot_slice(
            study, [key], target=lambda trial: trial.values[0], target_name=names[0]
        )
        drawn.update_traces(marker={"size": 8})
        figures[key] = _styled(drawn)
    text = f"{len(trials)} finished trials over the parameters that were searched."
    grid = _trial_grid("trials and their parameters", trials, names, keys)
    return Chart("parameters", text, figures, grid, choice="Parameter")


def parameter_importance(study: Study) -> Importance:
    """Compute importances by PED-ANOVA (Watanabe et al., IJCAI 2023, arXiv:2304.10255).

    fANOVA would need scikit-learn, and ignores which trials are the best. With several objectives
    the best are those on the Pareto front, and next to it.
    """
    finished = _finished(study)
    if len(finished) < ENOUGH:
        return Importance({}, f"After {ENOUGH} finished trials; there are {len(finished)}.")
    top = max(TOP, TOP_TRIALS / len(finished))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=top)
    try:
        shares = get_param_importances(study, evaluator=evaluator)
    except (ValueError, RuntimeError) as error:
        return Importance({}, f"Not known: {error}")
    return Importance(
        shares,
        f"PED-ANOVA: how the best {100 * top:.0f}% differ from all {len(finished)} finished "
        "trials. Pruned trials do not count. It does not show which values are the good ones.",
    )


def _with_names(study: Study, names: Sequence[str]) -> Study:
    """Return a copy of a study of several objectives that has their names: only plots need them."""
    if len(names) == 1:
        return study
    copy = optuna.create_study(directions=study.directions)
    copy.add_trials(_finished(study))
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        copy.set_metric_names(list(names))
    return copy


def _finished(study: Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _styled(drawn: go.Figure, **layout: object) -> go.Figure:
    """Give a figure of Optuna's the style of our pages, whose headings replace its title."""
    style = figure(HEIGHT).layout.to_plotly_json()
    drawn.update_layout({**style, "title": {"text": ""}})
    return drawn.update_layout(**layout)


def _trial_grid(
    name: str, trials: Sequence[FrozenTrial], names: Sequence[str], keys: Sequence[str]
) -> Grid:
    """Make a table of trials: number, objectives by `names`, parameters by `keys`."""
    rows = [
        [
            _trial_number(trial),
            *map(number, trial.values),
            *(_parameter(trial.params.get(key, "")) for key in keys),
        ]
        for trial in trials
    ]
    return Grid(name, ["trial", *names, *keys], rows)


def _trial_number(trial: FrozenTrial) -> Cell:
    return Cell(str(trial.number), trial.number)


def _parameter(value: object) -> Cell:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return number(value) if is_number else Cell(str(value))  # type: ignore[arg-type]
