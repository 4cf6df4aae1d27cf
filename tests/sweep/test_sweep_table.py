"""The tables of a sweep, against values derived by hand."""

import csv
import io
import math

import pytest

from segmentation.console import duration
from segmentation.sweep.jobs.state import JobState
from segmentation.sweep.table import (
    best_first,
    counted,
    groups,
    job_table,
    labels,
    shortened,
    to_csv,
    to_json,
)


def job(overrides, score=None, state="finished", **more):
    return JobState(overrides, state, score, host="here", **more)


def named(*jobs):
    return {"_".join(job.overrides): job for job in jobs}


def test_groups_are_of_jobs_that_differ_only_in_seed_or_fold():
    jobs = [
        job(["encoder=a", "seed=1", "data.folds=5", "data.fold=0"], 0.1),
        job(["encoder=a", "seed=1", "data.folds=5", "data.fold=1"], 0.3),
        job(["seed=2", "data.fold=1", "encoder=a", "data.folds=5"], 0.5),
        job(["encoder=b", "seed=1", "data.folds=5", "data.fold=0"], 0.9),
        job(["encoder=b", "seed=2", "data.folds=5", "data.fold=0"], None, "failed"),
    ]
    first, second = groups(jobs)
    assert (first.overrides, first.jobs, first.mean, first.std) == ("encoder=b", 1, 0.9, None)
    assert (second.overrides, second.jobs) == ("encoder=a", 3)
    assert second.mean == pytest.approx(0.3)
    assert second.std == pytest.approx(math.sqrt((0.04 + 0 + 0.04) / 2))


def test_jobs_that_all_differ_in_something_else_make_no_groups():
    assert groups([job(["encoder=a"], 0.1), job(["encoder=b"], 0.2)]) == []
    assert groups([]) == []


def test_the_baseline_of_an_ablation_is_not_called_all():
    jobs = [job(["seed=0"], 0.1), job(["seed=1"], 0.3), job(["loss=dice"], 0.5)]
    assert [one.overrides for one in groups(jobs)] == ["loss=dice", "none of these"]
    (only,) = groups(jobs[:2])
    assert only.overrides == "all"


def test_a_label_is_what_the_others_have_not():
    jobs = [job(["logger=none", "encoder=a"]), job(["logger=none", "encoder=b"])]
    assert list(labels(named(*jobs)).values()) == ["encoder=a", "encoder=b"]


def test_the_csv_has_every_job_and_a_column_for_each_key():
    jobs = [
        job(["encoder=a", "+x=[1,2]"], 0.25, seconds=2.5, exit_code=0),
        job(["encoder=b"], None, "failed", error="one\ntwo, the last", exit_code=1),
        job(["encoder=c"], None, "waiting"),
    ]
    found = list(csv.DictReader(io.StringIO(to_csv(named(*jobs)))))
    assert [one["state"] for one in found] == ["finished", "failed", "waiting"]
    assert [one["score"] for one in found] == ["0.25", "", ""]
    assert [one["encoder"] for one in found] == ["a", "b", "c"]
    assert [one["x"] for one in found] == ["[1,2]", "", ""]
    assert found[1]["error"] == "two, the last"


def test_a_waiting_job_has_no_figures():
    text = to_csv(named(job(["encoder=c"], None, "waiting")))
    assert text.splitlines()[1] == "encoder=c,waiting,,,,,,c"
    (values,) = to_json(named(job(["+encoder=c"], None, "waiting")))["jobs"]
    assert values == {
        "name": "+encoder=c", "state": "waiting", "score": None, "seconds": None,
        "exit_code": None, "error": None, "overrides": {"encoder": "c"},
    }  # fmt: skip


def test_a_table_of_many_jobs_shows_what_matters():
    jobs = [job([f"seed={index}"], index / 1000) for index in range(1000)]
    jobs += [job([f"seed=-{index}"], None, "running") for index in range(3)]
    jobs += [job([f"x={index}"], None, "failed", started=index) for index in range(30)]
    some = shortened(named(*jobs))
    assert len(some) == 20
    assert next(iter(some)) == "seed=999"
    assert [name for name, job in some.items() if job.state == "failed"] == [
        f"x={i}" for i in range(25, 30)
    ]
    assert sum(job.state == "running" for job in some.values()) == 3
    assert counted(jobs) == "3 running, 30 failed, 1000 finished"
    assert job_table(named(*jobs)).row_count == 20


def test_few_jobs_are_all_shown_the_best_first():
    jobs = [job(["a=1"], None, "waiting"), job(["a=2"], 0.1), job(["a=3"], 0.2)]
    assert list(shortened(named(*jobs))) == list(best_first(named(*jobs))) == ["a=3", "a=2", "a=1"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61.4, "1:01"), (3725, "1:02:05")])
def test_durations(seconds, text):
    assert duration(seconds) == text
