"""Arguments that a sampler or pruner can't use are found before the first job."""

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from segmentation.errors import ConfigError
from segmentation.sweep.search.dry_run import try_pruner, try_sampler
from segmentation.sweep.search.space import Space

RANGES = ["lr=tag(log,interval(1e-4,1e-1))", "depth=int(interval(1,3))", "encoder=choice(a,b)"]


def space(*ranges: str) -> Space:
    parsed = OverridesParser.create().parse_overrides(list(ranges or RANGES))
    return Space.from_overrides(parsed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"name": "TPESampler", "n_startup_trials": "abc"},
            "with n_startup_trials=abc: TypeError",
        ),
        ({"name": "TPESampler", "n_ei_candidates": "abc"}, "fails with n_ei_candidates=abc: "),
        ({"name": "TPESampler", "n_startup_trials": 900, "n_ei_candidates": "few"}, "=few: "),
        ({"name": "TPESampler", "gamma": 3}, "TPESampler fails with gamma=3: "),
        ({"name": "NSGAIISampler", "population_size": "abc"}, "sweep.sampler: "),
        ({"name": "RandomSampler", "n_startup_trials": 3}, "sweep.sampler: .*unexpected keyword"),
        ("RandomSampler", "sweep.sampler=RandomSampler has no name"),
    ],
    ids=str,
)
@pytest.mark.parametrize("objectives", [1, 2])
def test_an_argument_that_fails_while_drawing(
    options: dict[str, object], message: str, objectives: int
) -> None:
    with pytest.raises(ConfigError, match=message):
        try_sampler(space(), objectives, options, 0)


@pytest.mark.parametrize("name", ["TPESampler", "RandomSampler", "NSGAIISampler"])
def test_samplers_draw_from_any_space(name: str) -> None:
    level = optuna.logging.get_verbosity()
    for ranges in RANGES, ["seed=choice(1,2)"]:
        try_sampler(space(*ranges), 1, {"name": name}, 0)
    assert optuna.logging.get_verbosity() == level


def test_a_sampler_that_ends_with_its_space_does_so_in_silence() -> None:
    try_sampler(space("seed=choice(1,2)"), 1, {"name": "BruteForceSampler"}, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "MedianPruner", "n_startup_trials": "abc"}, "sweep.pruner: "),
        ({"name": "HyperbandPruner", "min_resource": "abc"}, "sweep.pruner: "),
        ({"name": "HyperbandPruner", "reduction_factor": "abc"}, "sweep.pruner: "),
        ({"name": "SuccessiveHalvingPruner", "reduction_factor": 2.5}, "sweep.pruner: "),
        ({"name": "WilcoxonPruner", "p_threshold": "abc"}, "sweep.pruner: "),
    ],
    ids=str,
)
def test_an_argument_that_fails_while_pruning(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        try_pruner(options)


@pytest.mark.parametrize("name", ["MedianPruner", "HyperbandPruner", "NopPruner"])
def test_pruners_work_with_their_defaults(name: str) -> None:
    try_pruner({"name": name})
