"""Small things that many modules share."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from segmentation.config import flat, value_at
from segmentation.metrics.scores import ratio


def test_nothing_is_divided_by_nothing():
    found = ratio([[1, 2], [3, 4]], [[2], [0]])
    np.testing.assert_array_equal(found, [[0.5, 1], [np.nan, np.nan]])
    assert ratio(3, 0, empty=1) == 1
    assert ratio(np.int64(1), np.int64(4)).dtype == np.float64


def test_nested_values_have_dotted_keys():
    values = {"a": {"b": 1, "c": {"d": [2]}}, "e": {}, "f": None}
    assert flat(values) == {"a.b": 1, "a.c.d": [2], "e": {}, "f": None}
    assert {key: value_at(values, key) for key in flat(values)} == flat(values)


@pytest.mark.parametrize("key", ["x", "a.x", "a.b.c", "f.g"])
def test_a_key_that_leads_nowhere_gives_none(key):
    assert value_at({"a": {"b": 1}, "f": None}, key) is None


def test_the_keys_are_those_that_a_configuration_takes():
    values = {"a": {"b": 1, "c": {"d": 2}}}
    for key, value in flat(values).items():
        assert OmegaConf.select(OmegaConf.create(values), key) == value
