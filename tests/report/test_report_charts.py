"""The figures of the pages, against values by hand."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_scorings import CLASSES, CSV, HOSTILE, make_comparison, make_scoring

from segmentation.pages import script
from segmentation.report.chart import COLORS, SERIES, harmless, label, whiskers
from segmentation.report.class_bars import class_bars
from segmentation.report.confusion import confusion_map
from segmentation.report.cost import cost_chart, front
from segmentation.report.curves import learning_curves, overlaid_curves, read_curves
from segmentation.report.reliability import reliability
from segmentation.report.scores import read_scoring
from segmentation.report.table import Cell, Grid, duration, interval, number, points


@pytest.fixture(scope="module")
def scoring(tmp_path_factory):
    return read_scoring(make_scoring(tmp_path_factory.mktemp("scoring")))


def test_bars_have_the_scores_and_the_ends_of_their_intervals(scoring):
    (bars,) = class_bars(scoring, scoring.scored).figures["IoU"].data
    for place, name in enumerate(CLASSES.names):
        assert bars.x[place] == scoring.metrics["iou"][name]
        low, high = scoring.class_ends(name)
        assert bars.x[place] - bars.error_x.arrayminus[place] == pytest.approx(low)
        assert bars.x[place] + bars.error_x.array[place] == pytest.approx(high)


def test_the_heatmap_can_be_read_by_row_by_column_and_in_pixels(scoring):
    total = scoring.scored.confusion.sum(axis=0)
    by_row, by_column, pixels = confusion_map(scoring.scored).figures.values()
    assert np.array(by_row.data[0].z, float).sum(axis=1) == pytest.approx(1)
    assert np.array(by_column.data[0].z, float).sum(axis=0) == pytest.approx(1)
    assert by_row.data[0].z[1][2] == pytest.approx(total[1, 2] / total[1].sum())
    with np.errstate(divide="ignore"):
        expected = np.log10(total)
    found = np.array(pixels.data[0].z, float)
    assert found[total > 0] == pytest.approx(expected[total > 0])
    assert np.isnan(found[total == 0]).all()
    first = confusion_map(scoring.scored).grid.cells[0]
    wrong = total - np.diag(total.diagonal())
    truth, guess = np.unravel_index(wrong.argmax(), wrong.shape)
    assert [first[0].text, first[1].text] == [CLASSES.names[truth], CLASSES.names[guess]]
    assert first[4].value == wrong.max()


def test_the_reliability_diagram_says_how_many_are_right_at_each_confidence(scoring):
    chart = reliability(scoring, scoring.scored)
    assert len(chart.figures) == 1 + len(CLASSES)
    counts = scoring.scored.calibration.sum(axis=(0, 1))
    held = counts[:, 0] > 0
    _, line, bars = chart.figures["all classes"].data
    assert line.y == pytest.approx((counts[:, 1] / np.maximum(counts[:, 0], 1))[held])
    assert line.x == pytest.approx((np.flatnonzero(held) + 0.5) / 15, abs=1e-6)
    assert sum(bars.y) == pytest.approx(1)


def test_curves_are_read_by_epoch_from_1_and_equal_rates_are_one(tmp_path):
    assert read_curves(tmp_path) is None
    (tmp_path / "metrics.csv").write_text(f"{CSV}3,,,39,0.8,,0.4")  # cut off: 0.45
    curves = read_curves(tmp_path)
    assert curves.losses == {"train/loss": ([1, 2, 3], [2.0, 1.0, 0.9])}
    assert curves.scores == {"val/miou": ([1, 2, 3], [0.2, 0.5, 0.4])}
    assert curves.rates == {"learning rate": ([0], [0.001])}
    assert list(learning_curves(curves).figures) == ["loss", "scores on val", "learning rate"]
    both = overlaid_curves({"a": [curves, curves], "b": [curves]})
    lines = both.figures["mIoU on val"].data
    assert [line.showlegend for line in lines] == [True, False, True]
    assert [line.line.dash for line in lines] == ["solid", "dash", "solid"]
    assert lines[0].line.color == lines[1].line.color != lines[2].line.color
    assert overlaid_curves({}) is None


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)
)  # fmt: skip
def test_nobody_on_the_front_is_beaten_and_everybody_else_is(pairs):
    costs, scores = (list(part) for part in zip(*pairs, strict=True))
    on = front(costs, scores)

    def beaten(one):
        return any(
            costs[other] <= costs[one] and scores[other] >= scores[one]
            and (costs[other], scores[other]) != (costs[one], scores[one])
            for other in range(len(pairs))
        )  # fmt: skip

    kept = {pairs[index] for index in on}
    assert not any(beaten(index) for index in on)
    assert all(beaten(index) or pairs[index] in kept for index in range(len(pairs)))
    assert [costs[index] for index in on] == sorted(costs[index] for index in on)


def test_only_costs_that_are_known_can_be_chosen(tmp_path):
    comparison, contenders = make_comparison(tmp_path, seeds=(1, 1))
    chart = cost_chart(comparison, contenders)
    titles = ["parameters", "FLOPs", "latency", "training time"]
    assert list(chart.figures) == titles
    unknown = type(contenders[0].cost)(parameters=5)
    part = [type(one)(one.name, one.scorings, one.runs, unknown) for one in contenders]
    assert list(cost_chart(comparison, part).figures) == ["parameters"]


def test_whiskers_reach_to_the_ends_and_nowhere_without_an_interval():
    drawn = whiskers([0.5, 0.2], [(0.4, 0.75), None])
    assert drawn["array"] == [0.25, None]
    assert drawn["arrayminus"] == [pytest.approx(0.1), None]


def test_names_are_text_for_plotly_and_short_at_an_axis():
    assert label("a<b>&") == "a&lt;b&gt;&amp;"
    assert label("x" * 30) == "x" * 17 + "…"


@given(st.text())
def test_json_in_a_page_is_what_it_was_and_holds_no_markup(text):
    kept = harmless(json.dumps([text, HOSTILE]))
    assert json.loads(kept) == [text, HOSTILE]
    assert not set("<>&") & set(kept)


def test_each_colour_has_a_name_in_the_page():
    assert len(set(COLORS.values())) == len(COLORS)
    assert {COLORS[color] for color in SERIES} == {f"--plot-{one}" for one in range(1, 9)}


@pytest.mark.parametrize("text", ["a</Script>", "<!-- x", "a\r\nb"])
def test_a_script_that_would_not_arrive_is_refused(text):
    with pytest.raises(ValueError, match="cannot stand in a page"):
        script(text)


def test_cells_say_what_is_not_known():
    assert points(0.12345) == Cell("12.3", pytest.approx(12.345))
    assert points(None).text == points(math.nan).text == number(math.inf).text == "–"
    assert interval([0.1, 0.25]) == Cell("10.0 to 25.0", 0.1)
    assert interval(None).text == interval([math.nan, math.nan]).text == "–"
    assert duration(3725).text == "1:02:05"
    assert duration(65) == Cell("1:05", 65)
    grid = Grid("g", ["a", "b"], [["x", points(None)], ["y", points(0.5)]])
    assert grid.numeric == [False, True]
    assert Grid("g", ["a", "b"], []).numeric == [False, False]
