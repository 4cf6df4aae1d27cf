"""What Hydra's grammar says becomes Optuna's distributions, and draws become overrides again."""

import hydra
import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from segmentation.config import CONF
from segmentation.errors import ConfigError
from segmentation.sweep.search.space import Space, distribution_of

optuna.logging.set_verbosity(optuna.logging.WARNING)
PARSER = OverridesParser.create()


def parsed(*overrides):
    return PARSER.parse_overrides(list(overrides))


def draws(override, number=30):
    """Return values that are drawn, as Hydra reads them from the overrides of the jobs."""
    space = Space.from_overrides(parsed(override))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = [space.overrides(study.ask())[-1] for _ in range(number)]
    return [one.value() for one in parsed(*found)]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("a=interval(0,1)", FloatDistribution(0, 1)),
        ("a=interval(1e-3,0.5)", FloatDistribution(1e-3, 0.5)),
        ("a=tag(log,interval(1e-5,1e-2))", FloatDistribution(1e-5, 1e-2, log=True)),
        ("a=int(interval(1,8))", IntDistribution(1, 8)),
        ("a=tag(log,int(interval(1,64)))", IntDistribution(1, 64, log=True)),
        ("a=range(1,9)", IntDistribution(1, 8)),
        ("a=range(1,10,4)", IntDistribution(1, 9, step=4)),
        ("a=range(8,0,-2)", IntDistribution(2, 8, step=2)),
        ("a=range(0,1,0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("a=range(0.1,1,0.2)", FloatDistribution(0.1, 0.9, step=0.2)),
        ("a=tag(log,range(1,9))", IntDistribution(1, 8, log=True)),
        ("a=x,y", CategoricalDistribution(("x", "y"))),
        ("a=choice(1,2.5,true)", CategoricalDistribution(("1", "2.5", "True"))),
        ("a=choice([8,4],[2])", CategoricalDistribution(("[8,4]", "[2]"))),
    ],
)
@pytest.mark.filterwarnings("error")
def test_distributions(override, expected):
    assert distribution_of(parsed(override)[0]) == expected


def test_a_glob_means_the_options_of_a_group():
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        from hydra.core.global_hydra import GlobalHydra

        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        (override,) = parser.parse_overrides(["schedule=glob(*o*)"])
        expected = sorted(path.stem for path in (CONF / "schedule").glob("*o*.yaml"))
        assert len(expected) >= 3
        assert distribution_of(override) == CategoricalDistribution(tuple(expected))


@pytest.mark.parametrize(
    "override",
    ["a=interval(2,1)", "a=range(3,3)", "a=tag(log,interval(0,1))", "a=tag(log,range(1,9,2))",
     "a=tag(log,range(0.1,1,0.2))"],
)  # fmt: skip
def test_what_cannot_be_searched_is_named(override):
    with pytest.raises(ConfigError, match=r"^a=.* cannot be searched: "):
        Space.from_overrides(parsed(override))


def test_nothing_to_search_says_what_to_type():
    with pytest.raises(ConfigError, match=r"Type a range of values, as 'optimizer\.lr=tag\(log"):
        Space.from_overrides(parsed("data=camvid", "seed=1"))


def test_the_command_line_counts_more_than_the_configuration():
    space = Space.from_overrides(parsed("a=interval(0,1)", "b=1,2", "c=3", "a=0.5", "b=7,8", "c=4"))
    assert space.fixed == ("a=0.5", "c=4")
    assert space.distributions == {"b": CategoricalDistribution(("7", "8"))}


@given(st.floats(1e-6, 1e3), st.floats(1.001, 1e4))
def test_a_drawn_number_is_read_back_as_it_was_drawn(low, factor):
    override = f"a=tag(log,interval({low!r},{low * factor!r}))"
    for value in draws(override, 3):
        assert low * (1 - 1e-5) <= value <= low * factor * (1 + 1e-5)
        assert len(f"{value!r}".lstrip("0.").replace(".", "").partition("e")[0]) <= 6


@given(st.integers(-50, 50), st.integers(1, 40), st.integers(1, 7))
def test_whole_numbers_stay_on_the_grid_that_python_has(start, length, step):
    found = draws(f"a=range({start},{start + length},{step})", 5)
    assert set(found) <= set(range(start, start + length, step))
    assert all(isinstance(value, int) for value in found)


def test_every_value_of_a_choice_can_be_drawn():
    found = draws("a=choice([8,4],x,'two words',true,1.5)", 100)
    assert {str(value) for value in found} == {"[8, 4]", "x", "two words", "True", "1.5"}


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_corners_hold_every_choice(lengths):
    options = {f"k{place}": [f"v{one}" for one in range(n)] for place, n in enumerate(lengths)}
    ranges = [f"{key}=choice({','.join(values)})" for key, values in options.items()]
    corners = Space.from_overrides(parsed("fixed=1", "x=interval(2,3)", *ranges)).corners()
    assert len(corners) == max(lengths)
    assert all(corner[:2] == ["fixed=1", "x=2.0"] for corner in corners)
    seen = {word for corner in corners for word in corner}
    assert {f"{key}={value}" for key, values in options.items() for value in values} <= seen


@pytest.mark.parametrize("option", sorted(path.stem for path in (CONF / "sweep").glob("*.yaml")))
def test_every_corner_of_every_option_composes(option):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("train", [f"sweep={option}"], return_hydra_config=True)
        assert {"fail_fast", "retry", "keep"} <= set(cfg.sweep)
        ranges = [f"{key}={value}" for key, value in (cfg.hydra.sweeper.params or {}).items()]
        assert bool(ranges) == (option != "grid")
        for corner in Space.from_overrides(parsed(*ranges)).corners() if ranges else ():
            assert OmegaConf.to_container(
                hydra.compose("train", [*corner, f"sweep={option}"]), resolve=True
            )
