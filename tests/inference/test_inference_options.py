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
        ({"flip": 1}, "flip is 1: it is true or false"),
        ({"scales": []}, "expected a list"),
        ({"scales": 2}, "scales is 2: expected a list"),
        ({"scales": "1"}, "expected a list"),
        ({"scales": [1, 0]}, "a scale in scales is 0: it must be a number, 0.5 to 4"),
        ({"scales": [0.49]}, "0.5 to 4"),
        ({"scales": [4.5]}, "0.5 to 4"),
        ({"scales": [float("nan")]}, "0.5 to 4"),
        ({"scales": [True]}, "0.5 to 4"),
        ({"scales": ["big"]}, "0.5 to 4"),
        ({"scales": [1, 2, 1.0]}, "names a scale twice"),
        ({"window": 512}, r"window is 512: expected \[height, width\]"),
        ({"window": [512]}, "expected"),
        ({"window": [512, 0]}, "expected"),
        ({"window": [512, 51.2]}, "expected"),
        ({"window": [True, True]}, "expected"),
        ({"overlap": 1}, "overlap is 1: it must be a number, 0 or more, and below 1"),
        ({"overlap": -0.1}, "0 or more"),
        ({"overlap": None}, "0 or more"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
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
