import json

import pytest

from segmentation.errors import ConfigError
from segmentation.targets import TargetColumns

BOTH = TargetColumns("scene", ("day", "night"), ("arousal", "valence"), (0.5, -0.25), (0.5, 2.0))


def test_there_and_back_through_json():
    assert TargetColumns.from_dict(json.loads(json.dumps(BOTH.to_dict()))) == BOTH
    only = TargetColumns(values=("arousal",), mean=(0.0,), std=(1.0,))
    assert TargetColumns.from_dict(json.loads(json.dumps(only.to_dict()))) == only


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "need a column"),
        ({"category": "a", "categories": ("x",)}, "1 categories for the column 'a'.*has 2 to 1000"),
        ({"categories": ("x", "y"), "values": ("v",), "mean": (0.0,), "std": (1.0,)}, "2 categor"),
        ({"category": "a", "categories": ("x", "x")}, "categories repeat"),
        ({"category": "a", "categories": tuple(map(str, range(1001)))}, "1001 categories"),
        ({"category": "a", "categories": ("x", "y"), "values": ("a",), "mean": (0.0,),
          "std": (1.0,)}, "target columns repeat"),
        ({"values": ("a", "a"), "mean": (0.0,) * 2, "std": (1.0,) * 2}, "target columns repeat"),
        ({"values": ("a", "b"), "mean": (0.0,), "std": (1.0,)}, "not 2 with 1 and 1"),
        ({"values": ("a",), "mean": (float("nan"),), "std": (1.0,)}, "mean of values is not"),
        ({"values": ("a",), "mean": (0.0,), "std": (0.0,)}, "std not between"),
        ({"values": ("a",), "mean": (0.0,), "std": (float("inf"),)}, "std not between"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be(arguments, reason):
    with pytest.raises(ConfigError, match=reason):
        TargetColumns(**arguments)
