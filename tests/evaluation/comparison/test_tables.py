"""A comparison as data frames: plain numbers, and what people read."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_runs import CLASSES, confusion, names

from segmentation.evaluation.comparison.compare import compare
from segmentation.evaluation.comparison.result import Contender, Cost
from segmentation.evaluation.comparison.tables import (  # fmt: skip
    ALONE,
    HIGHEST,
    class_frame,
    comparison_frame,
    in_words,
    records,
    shown,
    shown_classes,
    to_latex,
    to_markdown,
)
from segmentation.runs.scored_images import ScoredImages
from segmentation.system.escaping import markdown

WORST = "50%_of & more|less"
COST = Cost(2_500_000, 12_340_000_000, 55.84, 90.5, 3723.4, (32, 32), "CPU, 1 core")


def scored(better, seed=0):
    matrices = confusion(better, seed)
    return ScoredImages(tuple(names()), matrices, CLASSES.names, Path("run"), {})


@pytest.fixture(scope="module")
def made():
    runs = {"a_b": [scored(0.2), scored(0.21, 1)], "even": [scored(0.2, 3)], WORST: [scored(-0.2)]}
    contenders = [
        Contender(
            name, tuple(some), (None,) * len(some), COST if name == "a_b" else Cost(), "random"
        )
        for name, some in runs.items()
    ]
    return compare(runs, resamples=1000), contenders


def test_rows_fall_by_miou_and_say_what_the_comparison_says(made):
    comparison, contenders = made
    table = comparison_frame(comparison, contenders)
    assert table["name"].tolist() == [entry.name for entry in comparison.entries]
    assert table["miou"].is_monotonic_decreasing
    best, *others = table.to_dict("records")
    assert best["verdict"] == HIGHEST
    assert np.isnan([best["difference"], best["difference_low"], best["p"]]).all()
    for row in others:
        to_best = comparison.to_best[row["name"]]
        assert (row["difference"], row["p"]) == (to_best.miou.value, to_best.p_corrected)
        assert row["difference_low"] == to_best.miou.interval.low
        assert row["verdict"] == to_best.verdict
    seeds = dict(zip(table["name"], table["seeds"], strict=True))
    assert seeds == {"a_b": 2, "even": 1, WORST: 1}
    assert {row["compares"] for row in others} == {"models"}  # one of each pair has one seed
    for row in others:
        effect = comparison.effects[row["name"]]
        assert (row["won"], row["lost"], row["tied"]) == (effect.won, effect.lost, effect.tied)
        assert row["p_alone"] == comparison.to_best[row["name"]].p
        assert np.isnan(row["p_over_seeds"])
    one = table.set_index("name").loc["a_b"]
    assert (one["parameters"], one["flops"], one["latency_ms"]) == (
        2_500_000,
        12_340_000_000,
        55.84,
    )
    assert table.set_index("name").loc["even"].isna()["flops"]


def test_one_contender_is_shown_alone():
    table = comparison_frame(
        compare({"x": [scored(0.0)]}, resamples=200),
        [Contender("x", (scored(0.0),), (None,), COST)],
    )
    assert table["verdict"].tolist() == [ALONE]


def test_classes_and_their_winners(made):
    comparison, _ = made
    frame = class_frame(comparison)
    assert frame["class"].tolist() == list(CLASSES.names)
    for row in frame.to_dict("records"):
        winner = comparison.winners[row["class"]]
        assert (row["best"], row["not_distinguishable"]) == (winner.best, winner.rivals)
        for entry in comparison.entries:
            assert row[f"iou: {entry.name}"] == entry.classes[row["class"]].value


def test_csv_reads_back_as_it_was(made):
    comparison, contenders = made
    for frame in (comparison_frame(comparison, contenders), in_words(class_frame(comparison))):
        text = frame.to_csv(index=False)
        kinds = {key: kind for key, kind in frame.dtypes.items() if str(kind) in ("Int64", "int64")}
        again = pd.read_csv(io.StringIO(text), dtype=kinds)
        pd.testing.assert_frame_equal(again, frame, rtol=1e-14)


def test_people_read_points_and_units(made):
    texts = shown(comparison_frame(*made)).set_index("contender")
    one = texts.loc["a_b"]
    assert one[["parameters", "FLOPs", "images/s", "latency", "training"]].tolist() == [
        "2.5 M", "12.34 G", "90.5", "55.8 ms", "1:02:03",
    ]  # fmt: skip
    assert texts.loc["even", "SD"] == texts.loc["even", "latency"] == "–"
    worst = made[0].entries[-1]
    assert texts.loc[WORST, "mIoU"] == f"{100 * worst.miou.value:.1f}"
    assert texts.loc[WORST, "95% CI"] == worst.miou.interval.points()
    assert re.fullmatch(r"-\d+\.\d", texts.loc[WORST, "Δ mIoU"])


def test_winners_and_rivals_are_marked(made):
    comparison, _ = made
    texts = shown_classes(class_frame(comparison), marked=True).set_index("class")
    for name, winner in comparison.winners.items():
        assert texts.loc[name, winner.best].endswith(" *")
        for rival in winner.rivals:
            assert texts.loc[name, rival].endswith(" =")
        others = {entry.name for entry in comparison.entries} - {winner.best, *winner.rivals}
        assert not any(texts.loc[name, other].endswith(("=", "*")) for other in others)
    assert any(winner.rivals for winner in comparison.winners.values())


def test_names_are_never_read_back_out_of_text():
    runs = {"class": [scored(0.2)], "a; b": [scored(0.2, 1)], "a": [scored(-0.2)]}
    frame = class_frame(compare(runs, resamples=500))
    assert frame["class"].tolist() == list(CLASSES.names)
    marked = shown_classes(frame, marked=True)
    assert set(marked.columns) == {"class", "class*", "a; b", "a"}
    for name, best, rivals in zip(
        frame["class"], frame["best"], frame["not_distinguishable"], strict=True
    ):
        texts = marked.set_index("class").loc[name]
        assert [head for head, text in texts.items() if text.endswith("*")] == [best]
        assert [head for head, text in texts.items() if text.endswith("=")] == list(rivals)
    assert {*frame["best"]} | {*sum(frame["not_distinguishable"], ())} == {"class*", "a; b"}
    assert set(in_words(frame)["not_distinguishable"].dropna()) <= {"class*", "a; b"}


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def test_markdown_has_a_cell_for_each_value(made):
    texts = shown(comparison_frame(*made))
    head, line, *rows = to_markdown(texts).splitlines()
    assert cells(head) == list(texts.columns)
    assert set(line) <= set("|:-")
    assert len(rows) == len(texts)
    for row, values in zip(rows, texts.itertuples(index=False), strict=True):
        assert cells(row) == [markdown(value) for value in values]
    assert "93.0 \\*" in to_markdown(pd.DataFrame({"x": ["93.0 *"]}))


def test_latex_is_booktabs_and_escaped(made):
    text = to_latex(shown(comparison_frame(*made)))
    for command in ("\\begin{tabular}{llrrrrrrrlr", "\\toprule", "\\midrule", "\\bottomrule"):
        assert command in text
    assert "a\\_b & random & 2 &" in text
    assert "50\\%\\_of \\& more|less &" in text
    assert (
        " 95\\% CI & SD & $\\Delta$ mIoU & $\\Delta$ 95\\% CI & p & compares & won--lost--tied &"
        in text
    )
    assert not re.search(r"(?<!\\)[%_]", text)
    assert re.search(r" & \$-\$\d+\.\d & \[\$-\$\d+\.\d, \$-\$\d+\.\d\] ", text)
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {15}


def test_a_row_of_latex_never_begins_with_a_bracket():
    assert "\n{}[8,8] & 1" in to_latex(pd.DataFrame({"x": ["[8,8]"], "y": ["1"]}))


def test_records_are_plain_values(made):
    rows = records(comparison_frame(*made))
    assert rows[0]["difference"] is None
    assert rows[0]["won"] is None
    kinds = {type(value) for row in rows for value in row.values()}
    assert kinds == {str, int, float, type(None)}
