"""The page of a comparison: verdicts in words, and images on which contenders disagree."""

import re
from dataclasses import replace
from html import escape

import pytest
from made_evaluations import make_comparison
from page_text import text_of

from segmentation.evaluation.comparison.tables import Compared
from segmentation.report.comparison_page import write_comparison_page
from segmentation.report.evaluation import image_scores


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    return folder, *make_comparison(folder, images=12)


def write(compared, **changed):
    folder, comparison, contenders = compared
    values = {"contenders": contenders, "notes": [*comparison.notes, "A <note>."]} | changed
    write_comparison_page(folder / "report.html", Compared("val", comparison, **values))
    return folder / "report.html"


def test_a_warning_of_all_names_nobody(compared):
    _, comparison, contenders = compared
    said = {"a": [["x", "y"], ["x"]], "b": [["y", "z"]], "c": [["y"], []]}
    some = [
        replace(
            one,
            name=name,
            evaluations=[
                replace(one.evaluations[0], metrics={"warnings": texts}) for texts in runs
            ],
        )
        for one, (name, runs) in zip(contenders, said.items(), strict=True)
    ]
    found = Compared("val", comparison, some, [])
    assert found.warnings == [("x", ["a"]), ("y", []), ("z", ["b"])]
    assert found.warning_lines == ["a: x", "y", "b: z"]


def test_a_comparison_says_its_verdicts_in_words_first(compared):
    _, comparison, _ = compared
    text = text_of(write(compared))
    verdicts = [one.verdict for one in comparison.to_best.values()]
    escaped = [escape(one.lower()).replace("&#x27;", "&#39;") for one in verdicts]
    places = [text.lower().index(one) for one in escaped]
    assert places == sorted(places)
    assert places[-1] < text.index("Δ 95% CI")  # the table
    for part in (
        "A &lt;note&gt;.", comparison.resampling.split(",")[0], "mIoU on val, loss on train",
        "On the Pareto front for parameters", "Differences between the environments",
    ):  # fmt: skip
        assert part in text, part
    for winner in comparison.winners.values():
        assert escape(winner.best) in text


def test_the_images_that_differ_most_come_first(compared):
    _, comparison, contenders = compared
    html = write(compared).read_text()
    by_name = {one.name: one for one in contenders}
    scores = [
        sum(image_scores(run)[0] for run in by_name[entry.name].evaluations) / entry.seeds
        for entry in comparison.entries
    ]
    spread = [max(column) - min(column) for column in zip(*scores, strict=True)]
    names = contenders[0].evaluations[0].names
    order = sorted(names, key=lambda name: -spread[names.index(name)])
    assert re.findall(r'id="disagreeing-\d+">\s*<div class="view-name"><b>(\w+)</b>', html) == order
    assert html.count('data-layer="Truth"') == len(names)
    assert html.count("data-layer=") == len(names) * (2 + 2 * len(contenders))


def test_a_single_contender_without_runs_and_views_has_a_page(tmp_path):
    comparison, contenders = make_comparison(tmp_path, seeds=(1,))
    (contenders[0].runs[0] / "views.zip").unlink()
    alone = replace(contenders[0], runs=(None,))
    text = text_of(write((tmp_path, comparison, [alone])))
    for part in (
        "needs at least two contenders",
        "No cost is known for two",
        "No curves",
        "Fewer than two",
    ):
        assert part in text, part
    assert text.count("nly one contender: there is nothing to compare") == 1
    for wrong in ("Highest", "highest", "contenders with", "* marks", "Holm"):
        assert wrong not in text, wrong
    assert not re.search(r"\b1 contender|\d [*=]", text)


def test_evaluations_without_views_say_how_to_get_some(tmp_path):
    comparison, contenders = make_comparison(tmp_path, seeds=(1, 1))
    for one in contenders:
        (one.runs[0] / "views.zip").unlink()
    text = text_of(write((tmp_path, comparison, contenders)))
    assert "python evaluate.py run=&lt;run&gt; split=val" in text
