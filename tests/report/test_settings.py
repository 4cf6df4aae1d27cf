"""The tables of configurations: differences from the default, values as YAML."""

import copy

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from segmentation.config import CONF, settings
from segmentation.report.settings import default_settings, settings_grid, yaml_text


def test_the_default_is_that_of_hydra_and_its_state_stays_as_it_is():
    assert not GlobalHydra.instance().is_initialized()
    default = default_settings()
    assert not GlobalHydra.instance().is_initialized()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        assert settings(compose("train")) == default == default_settings()
        assert GlobalHydra.instance().hydra is before


def test_what_differs_from_the_default_is_marked():
    own = copy.deepcopy(default_settings())
    own["data"]["batch_size"] = 99
    own["data"]["colour"] = "red"
    own["data"]["nothing"] = None
    del own["seed"]
    changed, everything = settings_grid(own)
    assert changed.rows == [
        ["data.batch_size", "99", "4"], ["data.colour", "red", "–"], ["seed", "–", "0"],
    ]  # fmt: skip
    assert ["data.batch_size", "99", "differs"] in everything.rows
    assert ["data.on_error", "stop", ""] in everything.rows


@pytest.mark.parametrize("value", [None, True, 1.5, "a: b", [1, "x"], "", "null", {}])
def test_values_are_said_as_yaml_reads_them(value):
    assert yaml.safe_load(yaml_text(value)) == value


def test_passwords_are_not_said():
    assert yaml_text("postgresql://me:secret@host/db") == "postgresql://***@host/db"
