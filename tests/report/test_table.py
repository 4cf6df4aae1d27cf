"""The cells of a page's tables."""

import math

import pytest

from segmentation.report.table import Cell, Grid, interval, number, points


def test_cells_say_what_is_not_known():
    assert points(0.12345) == Cell("12.3", pytest.approx(12.345))
    assert points(None).text == points(math.nan).text == number(math.inf).text == "–"
    assert interval([0.1, 0.25]) == Cell("10.0 to 25.0", 0.1)
    assert interval(None).text == interval([math.nan, math.nan]).text == "–"
    grid = Grid("g", ["a", "b"], [["x", points(None)], ["y", points(0.5)]])
    assert grid.numeric == [False, True]
    assert Grid("g", ["a", "b"], []).numeric == [False, False]
