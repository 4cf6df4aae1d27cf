from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segmentation.evaluation.statistics.correction import adjust, enough

pytestmark = pytest.mark.usefixtures("quick_collections")

P = arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 1))


def test_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.2 times 4, 3, 2, 1 is 0.04, 0.06, 0.06, 0.2; never falling.
    np.testing.assert_allclose(adjust([0.02, 0.2, 0.01, 0.03]), [0.06, 0.2, 0.04, 0.06])


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, st.integers(1, 6), elements=st.floats(0, 1)))
def test_equal_to_closed_testing_with_bonferroni(p):
    # Marcus, Peritz and Gabriel (1976): a hypothesis falls when every set that holds it does.
    members = range(len(p))
    sets = [part for size in members for part in combinations(members, size + 1)]
    expected = [max(min(1, len(part) * min(p[list(part)])) for part in sets if i in part)
                for i in members]  # fmt: skip
    np.testing.assert_allclose(adjust(p), expected, atol=1e-15)


def test_what_is_no_comparison_is_not_counted():
    found = adjust([[0.01, np.nan], [0.04, np.nan]])
    np.testing.assert_allclose(found, [[0.02, np.nan], [0.04, np.nan]])


@settings(max_examples=25, deadline=None)
@given(P)
def test_never_smaller_and_in_the_same_order(p):
    adjusted = adjust(p)
    assert (adjusted >= p).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_with_enough_resamples_the_least_p_value_survives_the_correction():
    assert enough(2) == 10_000
    comparisons = 500
    p = np.full(comparisons, 2 / (enough(comparisons) + 1))
    assert adjust(p).max() <= 0.05
