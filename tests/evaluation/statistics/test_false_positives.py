"""How often equal recipes are called different; docs/evaluation.md has the table of more trials."""

import numpy as np
import pytest

from benchmarks.false_positives import Setting, false_positives

TRIALS = 200
"""Standard error of 5%: 1.5%."""
BOUND = 0.08
"""5% and two standard errors."""


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.7])
@pytest.mark.parametrize("seeds", [2, 3, 8])
def test_equal_recipes_seldom_differ(seeds, shared):
    rates = false_positives(Setting(60, 0.0, seeds, shared), TRIALS)
    assert rates["used"] <= BOUND, rates
    assert rates["used"] == rates["paired" if seeds == 8 else "independent"]
    if seeds < 6:
        assert rates["exact"] == 0


@pytest.mark.slow
def test_equal_recipes_seldom_differ_on_frames_of_a_video():
    rates = false_positives(Setting(240, 0.8, 3, 0.0), TRIALS)
    assert rates["used"] <= BOUND, rates


@pytest.mark.slow
def test_an_exact_test_over_seeds_is_fooled_by_the_images_alone():
    rates = false_positives(Setting(60, 0.0, 8, 0.7, deviation=0.05), 100)
    assert rates["exact"] > 0.2 > rates["used"], rates


def test_one_run_each_says_nothing_of_recipes():
    rates = false_positives(Setting(60, 0.0, 1, 0.0), 40)
    assert rates["used"] > 0.4, rates
    assert np.isnan(rates["exact"])
