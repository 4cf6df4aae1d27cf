"""The options of test time: what is refused, and how they are named."""

import json

import pytest

from segmentation.errors import ConfigError
from segmentation.inference.options import InferenceOptions


def test_lists_of_a_configuration_become_tuples_and_come_back():
    options = InferenceOptions(flip=True, scales=[0.75, 1], window=[64, 96], overlap=0)
    assert options.scales == (0.75, 1.0)
    assert options.window == (64, 96)
    kept = json.loads(json.dumps(options.to_dict()))
    assert kept == {"flip": True, "scales": [0.75, 1.0], "window": [64, 96], "overlap": 0.0}
    assert InferenceOptions.from_dict({**kept, "something": "else"}) == options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip": 1}, "flip=1: must be true or false"),
        ({"scales": []}, "must have at least 1 items"),
        ({"scales": 2}, "scales=2: must be a list"),
        ({"scales": "1"}, "scales='1': must be a list"),
        ({"scales": [1, 0]}, r"scales\[1\]=0: must be greater than or equal to 0.5"),
        ({"scales": [0.49]}, "greater than or equal to 0.5"),
        ({"scales": [4.5]}, "less than or equal to 4"),
        ({"scales": [float("nan")]}, r"scales\[0\]=nan: must be"),
        ({"scales": [True]}, "must be a number"),
        ({"scales": ["big"]}, "must be a number"),
        ({"scales": [1, 2, 1.0]}, "a scale is given twice"),
        ({"window": 512}, "window=512: must be a list"),
        ({"window": [512]}, r"window\[1\] is missing"),
        ({"window": [512, 512, 3]}, "must have at most 2 items"),
        ({"window": [512, 0]}, r"window\[1\]=0: must be greater than or equal to 1"),
        ({"window": [512, 51.2]}, r"window\[1\]=51.2: must be a whole number"),
        ({"window": [True, True]}, "must be a whole number"),
        ({"overlap": 1}, "overlap=1: must be less than 1"),
        ({"overlap": -0.1}, "must be greater than or equal to 0"),
        ({"overlap": None}, "must be a number"),
        ({"fip": True}, "fip does not exist. Did you mean 'flip'"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        InferenceOptions(**options)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({}, []),
        ({"overlap": 0.25}, []),  # of no windows
        ({"flip": True}, ["flip"]),
        ({"scales": [0.75, 1, 1.25]}, ["scales0.75-1-1.25"]),
        ({"window": [512, 1024]}, ["window512x1024"]),
        (
            {"flip": True, "scales": [2], "window": [9, 9], "overlap": 0.75},
            ["flip", "scales2", "window9x9", "overlap0.75"],
        ),
    ],
)
def test_only_what_differs_is_in_the_name(options, parts):
    assert InferenceOptions(**options).parts() == parts
    assert InferenceOptions(**options).plain == (parts == [])
