"""The file for `wandb sweep`, filled in as its agent fills it in."""

import random

import hydra
import pytest
import yaml
from conftest import ROOT
from omegaconf import OmegaConf
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from segmentation.config import CONF
from segmentation.training.monitor import MIOU

SWEEP = yaml.safe_load((CONF / "wandb_sweep.yaml").read_text("utf-8"))


def agents_command(values):
    """Return what `wandb agent` starts (wandb_agent.py, Agent._command_run)."""
    filled = create_sweep_command_args({"args": {k: {"value": v} for k, v in values.items()}})
    filled |= {"env": ["/usr/bin/env"], "interpreter": ["python"], "program": [SWEEP["program"]]}
    parts = create_sweep_command(list(SWEEP["command"]))
    macros = [part[2:-1] for part in parts if part.startswith("${")]
    assert set(macros) <= set(filled)
    return [
        word for part in parts for word in (filled[part[2:-1]] if part.startswith("${") else [part])
    ]


def drawn(seed):
    chance = random.Random(seed)
    return {
        key: chance.choice(one["values"])
        if "values" in one
        else one["min"] * (one["max"] / one["min"]) ** chance.random()
        for key, one in SWEEP["parameters"].items()
    }


@pytest.mark.parametrize("seed", range(5))
def test_what_the_agent_starts_composes_and_takes_its_values(seed):
    values = drawn(seed)
    env, python, script, *overrides = agents_command(values)
    assert (env, python) == ("/usr/bin/env", "python")
    assert (ROOT / script).is_file()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("train", overrides, return_hydra_config=True)
    for key, value in values.items():
        known = OmegaConf.select(cfg, key)
        group = cfg.hydra.runtime.choices.get(key)
        assert value in (known, group)


def test_every_value_is_an_option():
    for key, one in SWEEP["parameters"].items():
        for value in one.get("values", ()):
            assert (CONF / key / f"{value}.yaml").is_file()
    assert sum("values" in one for one in SWEEP["parameters"].values()) >= 3


def test_it_goes_by_a_score_that_a_run_logs():
    assert SWEEP["metric"] == {"name": f"best/val_{MIOU.name}", "goal": "maximize"}
