"""Exact tests over seeds, and the power of a number of seeds."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import nct, t

from segmentation.evaluation.statistics.seeds import (
    COUNTS,
    EFFECTS,
    SeedPlan,
    deviation_interval,
    pooled_deviation,
    power,
    seed_test,
)


@pytest.mark.parametrize("differences", [(3, 2, 1), (4, 3, 2, -1, 5), (1, -1, 2, 0.5, 7, 3)])
def test_signs_are_flipped_in_all_ways(differences):
    d = np.array(differences, dtype=float)
    sums = np.array(list(product((1, -1), repeat=len(d)))) @ d
    expected = min(1, 2 * min((sums >= d.sum()).mean(), (sums <= d.sum()).mean()))
    found = seed_test(d, np.zeros(len(d)), paired=True)
    assert found.p == pytest.approx(expected)
    assert found.least == 2 / 2 ** len(d)


def test_three_paired_seeds_never_reach_five_per_cent_and_six_do():
    for seeds, p in ((3, 0.25), (5, 0.0625), (6, 0.03125)):
        found = seed_test(np.arange(seeds) + 100.0, np.arange(seeds, 0.0, -1), paired=True)
        assert found.p == found.least == p


def test_unpaired_seeds_are_exchanged_in_all_ways():
    first, second = [5.0, 1.0, 4.0], [2.0, 3.0, 0.0, 1.5]
    values = np.array(first + second)
    differences = []
    for chosen in combinations(range(7), 3):
        rest = [i for i in range(7) if i not in chosen]
        differences.append(values[list(chosen)].mean() - values[rest].mean())
    seen = np.mean(first) - np.mean(second)
    expected = 2 * np.mean(np.array(differences) >= seen - 1e-12)
    found = seed_test(first, second, paired=False)
    assert found.p == pytest.approx(expected)
    assert found.least == 2 / 35


def test_equal_scores_are_no_difference():
    assert seed_test([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], paired=True).p == 1


def test_the_deviation_is_pooled_over_contenders_with_several_seeds():
    # Squares 2, 2; degrees of freedom 2, 1
    deviation, freedom = pooled_deviation([[1, 2, 3], [9], [5, 7]])
    assert (deviation, freedom) == (pytest.approx(np.sqrt(4 / 3)), 3)
    assert np.isnan(pooled_deviation([[1], [2]])[0])


def test_the_interval_of_a_deviation():
    # Quantiles of chi-square with 4 degrees of freedom: 0.4844 and 11.143
    ends = deviation_interval(1.0, 4)
    assert (ends.low, ends.high) == (pytest.approx(0.599, abs=1e-3), pytest.approx(2.874, abs=1e-3))


def test_power_is_that_of_students_t_where_images_do_not_vary():
    count, effect, deviation = 20, 0.008, 0.01
    scale = deviation * np.sqrt(2 / count)
    freedom = 2 * (count - 1)  # Welch's is a little lower, of so many hardly
    exact = nct.sf(t.isf(0.025, freedom), freedom, effect / scale)
    assert power(effect, deviation, count, (1e-12, 30), 0.05) == pytest.approx(exact, abs=0.025)


def test_power_of_any_number_of_seeds_is_that_of_the_images():
    exact = nct.sf(t.isf(0.025, 30), 30, 2.0)
    assert power(0.02, 0.05, None, (0.01**2, 30), 0.05) == pytest.approx(exact, abs=0.02)


def test_power_for_no_difference_is_the_level_at_most():
    for count in (2, 3, 10):
        assert power(0.0, 0.01, count, (0.005**2, 40), 0.05) <= 0.06
    assert power(0.0, 0.0, 3, (0.0, 40), 0.05) == 0


def test_the_first_count_with_enough_power_is_enough():
    def plan(*powers):
        rows = [[value, *(0.0 for _ in EFFECTS)] for value in powers]
        ends = deviation_interval(0.01, 2)
        return SeedPlan(0.01, ends, 0.05, {"a": 0.1}, {"a": 0.1}, {"a": rows})

    rising = [0.79] * (len(COUNTS) - 2) + [0.8, 0.9]
    assert plan(*rising, 1.0).enough("a") == COUNTS[-2]
    assert plan(*([0.1] * len(COUNTS)), 1.0).enough("a") is None
