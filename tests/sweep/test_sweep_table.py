"""The tables of a sweep, against values derived by hand."""

import csv
import io
import math

import pytest

from segmentation.console import duration
from segmentation.sweep.jobs.state import JobState
from segmentation.sweep.table import Row, counted, groups, job_table, labels, shown, to_csv


def row(overrides, score=None, state="finished", **more):
    job = None if state == "waiting" else JobState(overrides, state, score, host="here", **more)
    return Row("_".join(overrides), overrides, job)


def test_groups_are_of_jobs_that_differ_only_in_seed_or_fold():
    rows = [
        row(["encoder=a", "seed=1", "data.folds=5", "data.fold=0"], 0.1),
        row(["encoder=a", "seed=1", "data.folds=5", "data.fold=1"], 0.3),
        row(["seed=2", "data.fold=1", "encoder=a", "data.folds=5"], 0.5),
        row(["encoder=b", "seed=1", "data.folds=5", "data.fold=0"], 0.9),
        row(["encoder=b", "seed=2", "data.folds=5", "data.fold=0"], None, "failed"),
    ]
    first, second = groups(rows)
    assert (first.overrides, first.jobs, first.mean, first.std) == ("encoder=b", 1, 0.9, None)
    assert (second.overrides, second.jobs) == ("encoder=a", 3)
    assert second.mean == pytest.approx(0.3)
    assert second.std == pytest.approx(math.sqrt((0.04 + 0 + 0.04) / 2))


def test_jobs_that_all_differ_in_something_else_make_no_groups():
    assert groups([row(["encoder=a"], 0.1), row(["encoder=b"], 0.2)]) == []
    assert groups([]) == []


def test_the_baseline_of_an_ablation_is_not_called_all():
    rows = [row(["seed=0"], 0.1), row(["seed=1"], 0.3), row(["loss=dice"], 0.5)]
    assert [one.overrides for one in groups(rows)] == ["loss=dice", "none of these"]
    (only,) = groups(rows[:2])
    assert only.overrides == "all"


def test_a_label_is_what_the_others_have_not():
    rows = [row(["logger=none", "encoder=a"]), row(["logger=none", "encoder=b"])]
    assert list(labels(rows).values()) == ["encoder=a", "encoder=b"]


def test_the_csv_has_every_job_and_a_column_for_each_key():
    rows = [
        row(["encoder=a", "+x=[1,2]"], 0.25, seconds=2.5, exit_code=0),
        row(["encoder=b"], None, "failed", error="one\ntwo, the last", exit_code=1),
        row(["encoder=c"], None, "waiting"),
    ]
    found = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert [one["state"] for one in found] == ["finished", "failed", "waiting"]
    assert [one["score"] for one in found] == ["0.25", "", ""]
    assert [one["encoder"] for one in found] == ["a", "b", "c"]
    assert [one["x"] for one in found] == ["[1,2]", "", ""]
    assert found[1]["error"] == "two, the last"


def test_a_table_of_many_jobs_shows_what_matters():
    rows = [row([f"seed={index}"], index / 1000) for index in range(1000)]
    rows += [row([f"seed=-{index}"], None, "running") for index in range(3)]
    rows += [row([f"x={index}"], None, "failed", started=index) for index in range(30)]
    some = shown(rows)
    assert len(some) == 20
    assert some[0].score == 0.999
    assert [one.name for one in some if one.state == "failed"] == [f"x={i}" for i in range(25, 30)]
    assert sum(one.state == "running" for one in some) == 3
    assert counted(rows) == "3 running, 30 failed, 1000 finished"
    assert job_table(rows).row_count == 20


def test_few_jobs_are_all_shown_the_best_first():
    rows = [row(["a=1"], None, "waiting"), row(["a=2"], 0.1), row(["a=3"], 0.2)]
    assert [one.name for one in shown(rows)] == ["a=3", "a=2", "a=1"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61.4, "1:01"), (3725, "1:02:05")])
def test_durations(seconds, text):
    assert duration(seconds) == text
