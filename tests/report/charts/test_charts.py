"""The figures of the pages, against values by hand."""

import json
from dataclasses import replace
from html import unescape

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_evaluations import CLASSES, CSV, HOSTILE, make_comparison, make_evaluation

from segmentation.errors import DataError
from segmentation.evaluation.comparison.tables import to_csv
from segmentation.evaluation.slices.scores import COLUMNS
from segmentation.report.charts.chart import (
    COLORS,
    LABEL_LENGTH,
    LINE_HEIGHT,
    SERIES,
    harmless,
    label,
    labels,
    name_axis,
    percent_axis,
    style,
    whiskers,
    wrapped,
    wrapped_height,
)
from segmentation.report.charts.classes import class_scores
from segmentation.report.charts.confusion import confusion_chart
from segmentation.report.charts.cost import cost_chart, front
from segmentation.report.charts.curves import Curves, learning_curves, overlaid_curves, read_curves
from segmentation.report.charts.reliability import reliability_chart
from segmentation.report.charts.slices import read_slices, slices_chart
from segmentation.report.evaluation import read_evaluation
from segmentation.report.pages.plots_page import script
from segmentation.report.table import Cell, Grid
from segmentation.runs.directory import SLICES_FILE

GRID = Grid("numbers", [], [])


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    return read_evaluation(make_evaluation(tmp_path_factory.mktemp("evaluation")))


def test_dots_have_the_scores_and_the_ends_of_their_intervals(evaluation):
    (dots,) = class_scores(evaluation, evaluation.scored).figures["IoU"].data
    for place, name in enumerate(CLASSES.names):
        assert dots.x[place] == evaluation.metrics["iou"][name]
        low, high = evaluation.class_ends(name)
        assert dots.x[place] - dots.error_x.arrayminus[place] == pytest.approx(low)
        assert dots.x[place] + dots.error_x.array[place] == pytest.approx(high)


def test_the_heatmap_can_be_read_by_row_by_column_and_in_pixels(evaluation):
    total = evaluation.scored.confusion.sum(axis=0)
    by_row, by_column, pixels = confusion_chart(evaluation.scored).figures.values()
    assert np.array(by_row.data[0].z, float).sum(axis=1) == pytest.approx(1)
    assert np.array(by_column.data[0].z, float).sum(axis=0) == pytest.approx(1)
    assert by_row.data[0].z[1][2] == pytest.approx(total[1, 2] / total[1].sum())
    with np.errstate(divide="ignore"):
        expected = np.log10(total)
    found = np.array(pixels.data[0].z, float)
    assert found[total > 0] == pytest.approx(expected[total > 0])
    assert np.isnan(found[total == 0]).all()
    first = confusion_chart(evaluation.scored).grid.cells[0]
    wrong = total - np.diag(total.diagonal())
    truth, guess = np.unravel_index(wrong.argmax(), wrong.shape)
    assert [first[0].text, first[1].text] == [CLASSES.names[truth], CLASSES.names[guess]]
    assert first[4].value == wrong.max()
    (matrix,) = confusion_chart(evaluation.scored).more.values()
    assert matrix.heads == ["truth", *CLASSES.names]
    assert [[cell.value for cell in row[1:]] for row in matrix.cells] == total.tolist()


def test_a_matrix_of_more_classes_is_taller_and_its_cells_touch(evaluation):
    heights = []
    for count in (4, 14, 15, 60):
        table = tuple(f"class {number}" for number in range(count))
        matrix = np.ones((1, count, count), np.int64)
        drawn = confusion_chart(
            replace(evaluation.scored, names=("a",), confusion=matrix, classes=table)
        )
        one = drawn.figures["pixels"]
        heights.append(one.layout.height)
        assert one.data[0].xgap == one.data[0].ygap == (1 if count <= 14 else 0)
        for axis in (one.layout.xaxis, one.layout.yaxis):
            assert len(axis.ticktext) == len(axis.tickvals) <= max(30, 14)
            assert [f"class {place}" for place in axis.tickvals] == list(axis.ticktext)
        assert len(one.layout.xaxis.ticktext) >= min(count, 26)
    assert heights == sorted(heights)
    assert heights[-1] == 1100


def test_the_reliability_diagram_says_how_many_are_right_at_each_confidence(evaluation):
    chart = reliability_chart(evaluation, evaluation.scored)
    assert len(chart.figures) == 1 + len(CLASSES)
    counts = evaluation.scored.calibration.sum(axis=(0, 1))
    held = counts[:, 0] > 0
    _, line, bars = chart.figures["all classes"].data
    assert line.y == pytest.approx((counts[:, 1] / np.maximum(counts[:, 0], 1))[held])
    assert line.x == pytest.approx((np.flatnonzero(held) + 0.5) / 15, abs=1e-6)
    assert sum(bars.y) == pytest.approx(1)
    (by_class,) = chart.more.values()
    pixels = dict.fromkeys(CLASSES.names, 0.0)
    for name, _, _, held in by_class.cells:
        pixels[name.text] += held.value
    assert list(pixels.values()) == evaluation.scored.calibration[..., 0].sum(axis=(0, 2)).tolist()


def test_curves_are_read_by_epoch_from_1_and_equal_rates_are_one(tmp_path):
    assert read_curves(tmp_path) is None
    (tmp_path / "metrics.csv").write_text(f"{CSV}3,,,39,0.8,,0.4")  # cut off: 0.45
    curves = read_curves(tmp_path)
    assert curves.losses == {"train/loss": ([1, 2, 3], [2.0, 1.0, 0.9])}
    assert curves.scores == {"val/miou": ([1, 2, 3], [0.2, 0.5, 0.4])}
    assert curves.rates == {"learning rate": ([0], [0.001])}
    assert list(learning_curves(curves).figures) == ["loss", "scores on val", "learning rate"]
    (rates,) = learning_curves(curves).more.values()
    assert rates.cells == [[Cell("0", 0), Cell("0.001", 0.001)]]
    both = overlaid_curves({"a": [curves, curves], "b": [curves]})
    lines = both.figures["mIoU on val"].data
    assert [line.showlegend for line in lines] == [True, False, True]
    assert [line.line.dash for line in lines] == ["solid", "dash", "solid"]
    assert lines[0].line.color == lines[1].line.color != lines[2].line.color
    assert overlaid_curves({}) is None
    assert overlaid_curves({"a": []}) is None
    without = overlaid_curves({"a": [], "b": [curves]})  # looks as it does beside a
    assert without.figures["mIoU on val"].data[0].line.color == lines[2].line.color
    assert "of b over" in without.summary


def test_of_equal_epochs_the_first_is_the_best_whose_checkpoint_is_kept():
    curves = Curves({}, {"val/miou": ([1, 2, 3, 4], [0.1, 0.5, 0.5, 0.4])}, {})
    assert "best in epoch 2: 50.0%" in learning_curves(curves).summary


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
    chart = cost_chart(comparison, contenders, GRID)
    titles = ["parameters", "FLOPs", "latency", "training time"]
    assert list(chart.figures) == titles
    unknown = type(contenders[0].cost)(parameters=5)
    part = [type(one)(one.name, one.evaluations, one.runs, unknown) for one in contenders]
    assert list(cost_chart(comparison, part, GRID).figures) == ["parameters"]


def test_whiskers_reach_to_the_ends_and_nowhere_without_an_interval():
    drawn = whiskers([0.5, 0.2], [(0.4, 0.75), None])
    assert drawn["array"] == [0.25, None]
    assert drawn["arrayminus"] == [pytest.approx(0.1), None]


def test_whole_names_are_broken_into_lines_of_their_own_row():
    name = "resnet34, cross_entropy + dice, max_epochs=30"
    assert wrapped(name).split("<br>") == [
        "resnet34,", "cross_entropy + dice,", "max_epochs=30",
    ]  # fmt: skip
    assert wrapped("x" * 30 + "<b>") == "x" * 22 + "<br>" + "x" * 8 + "&lt;b&gt;"
    assert wrapped("") == ""
    assert wrapped_height(["vgg16"], 40) == 40
    assert wrapped_height(["vgg16", name], 40) == 3 * LINE_HEIGHT + 8
    axis = name_axis([name, "b"], whole=True)
    assert axis["ticktext"] == [wrapped(name), "b"]


def test_names_are_text_for_plotly_and_short_at_an_axis():
    assert label("a<b>&") == "a&lt;b&gt;&amp;"
    assert label("x" * 30) == "x" * 17 + "…"


@given(st.lists(st.text(alphabet="ab <…", max_size=40), unique=True, max_size=12))
def test_names_that_differ_look_different_at_an_axis(names):
    shown = labels(names)
    assert len(set(shown)) == len(names)
    assert all(len(unescape(one)) <= LABEL_LENGTH + 4 for one in shown)


def test_the_end_of_a_name_is_shown_where_it_matters():
    first, second = labels(["encoder=resnet50 lr=0.01", "encoder=resnet50 lr=0.02"])
    assert first.endswith("lr=0.01")
    assert second.endswith("lr=0.02")


def test_sixty_four_series_look_different():
    assert len({style(number) for number in range(64)}) == 64


def test_contenders_look_alike_in_every_plot(tmp_path):
    comparison, contenders = make_comparison(tmp_path, seeds=(1, 1, 1))
    known, nothing = contenders[0].cost, type(contenders[0].cost)()
    part = [replace(one, cost=known) for one in contenders]
    first = comparison.entries[0].name
    part = [replace(one, cost=nothing) if one.name == first else one for one in part]
    drawn = cost_chart(comparison, part, GRID).figures["parameters"].data[1:]
    for place, one in enumerate(drawn, 1):  # the first has no cost, and the others keep their looks
        assert (one.marker.line.color, one.marker.symbol) == style(place)


def test_each_slice_has_its_own_label_and_says_what_its_score_is():
    numbers = dict.fromkeys(COLUMNS[2:], 0.5) | {"images": 3, "difference": -0.125}
    values = {
        "corruptions": [f"{name} {one}" for name in ("gaussian_noise", "fog") for one in (1, 3, 5)],
        "size": [f"Pedestrian: {size}, 0.1-0.2%" for size in ("small", "medium", "large")],
        "column": [f"a value of many words, {one} of them all" for one in ("a few", "a handful")],
    }
    rows = pd.DataFrame(
        {"slice": kind, "value": value} | numbers for kind, some in values.items() for value in some
    )
    chart = slices_chart(rows)
    assert list(chart.figures) == [
        name for kind in values for name in (kind, f"{kind}: difference")
    ]
    for kind, some in values.items():
        shown = chart.figures[kind].layout.yaxis.ticktext
        assert len(set(shown)) == len(some)
    assert chart.figures["corruptions"].layout.yaxis.ticktext[1] == "gaussian_noise 3"
    assert chart.figures["size"].layout.yaxis.ticktext[0] == "Pedestrian: small<br>0.1-0.2%"
    assert chart.figures["size"].layout.xaxis.title.text == "IoU of the class"
    assert chart.figures["corruptions"].layout.xaxis.title.text == "mIoU"
    assert "for size the IoU of a class" in chart.summary
    assert "for size" not in slices_chart(rows[:6]).summary


def test_the_names_of_slices_are_read_as_they_were_written(tmp_path):
    numbers = dict.fromkeys(COLUMNS[2:], 0.5) | {"images": 3}
    names = [("=night", "-1"), ("sequence", "'@x"), ("None", "+a,b"), ("presence", "road")]
    rows = pd.DataFrame({"slice": kind, "value": value} | numbers for kind, value in names)
    (tmp_path / SLICES_FILE).write_text(to_csv(rows))
    read = read_slices(tmp_path)
    assert list(zip(read["slice"], read["value"], strict=True)) == names


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


def test_ticks_in_per_cent_have_the_decimals_that_they_need():
    assert percent_axis("mIoU")["tickformat"] == ".4~%"


def test_a_table_of_slices_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "slices.csv").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DataError, match=r"slices\.csv is damaged: it is larger than"):
        read_slices(tmp_path)
