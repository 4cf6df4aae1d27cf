"""The page of a sweep, and what of a study it shows."""

import json

import optuna
import pytest
from made_searches import make_search, quick_sqlite, write_run

from segmentation.sweep.jobs.state import JobState, read_jobs
from segmentation.sweep.report import write_report
from segmentation.sweep.search import charts
from segmentation.sweep.search.storage import STORAGE_VARIABLE, write_study_file


@pytest.fixture(autouse=True)
def quick_storage():
    with quick_sqlite():
        yield


def in_memory(*values, directions=("maximize",), states=()):
    study = optuna.create_study(directions=list(directions))
    for number, value in enumerate(values):
        state = states[number] if number < len(states) else optuna.trial.TrialState.COMPLETE
        several = list(value) if isinstance(value, tuple) else [value]
        study.add_trial(optuna.create_trial(state=state, values=several))
    return study


def settled(study, *names):
    study.set_user_attr("settings", {"objectives": list(names), "searched": []})
    return study


def test_history_shows_the_best_so_far_and_lists_the_pruned():
    pruned, complete = optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.COMPLETE
    study = in_memory(0.5, 0.9, 0.4, 0.6, states=[complete, pruned])
    chart = charts.history(study)
    finished, best, *_ = chart.figures["by trial"].data
    assert list(finished.y) == [0.5, 0.4, 0.6]
    assert list(best.y) == [0.5, 0.5, 0.5, 0.6]  # never the pruned trial's
    assert [[cell.text for cell in row] for row in chart.grid.cells] == [
        ["0", "complete", "0.5000"], ["1", "pruned", "0.9000"],
        ["2", "complete", "0.4000"], ["3", "complete", "0.6000"],
    ]  # fmt: skip
    assert chart.summary.startswith(
        "Score of 3 finished trials; the best has 0.6000. 1 pruned trial"
    )
    assert charts.study_charts(settled(in_memory(0.9, states=[pruned]), "score")) == []


def test_reported_epochs_are_drawn():
    study = in_memory(0.5)
    assert list(charts.history(study).figures) == ["by trial"]
    study.add_trial(optuna.create_trial(value=0.6, intermediate_values={0: 0.4, 1: 0.6}))
    (trial,) = charts.history(study).figures["by epoch"].data
    assert list(trial.y) == [0.4, 0.6]


def test_the_front_by_hand():
    study = in_memory(
        (0.5, 10.0), (0.6, 20.0), (0.55, 25.0), (0.7, 50.0), (0.4, 10.0),
        directions=("maximize", "minimize"),
    )  # fmt: skip
    chart = charts.pareto_front(settled(study, "score", "latency_ms"), ["score", "latency_ms"])
    assert [row[0].text for row in chart.grid.cells] == ["3", "1", "0"]
    others, front = chart.figures[""].data
    assert sorted(zip(front.x, front.y, strict=True)) == [(10.0, 0.5), (20.0, 0.6), (50.0, 0.7)]
    assert len(others.x) == 2
    assert chart.figures[""].layout.yaxis.title.text == "score"


def test_four_objectives_have_a_front_of_the_first_two():
    ways = ("maximize", "minimize", "minimize", "minimize")
    names = ["score", "latency_ms", "parameters", "seconds"]
    study = settled(in_memory((0.5, 1.0, 2.0, 3.0), (0.6, 2.0, 2.0, 3.0), directions=ways), *names)
    front, parameters = charts.study_charts(study)
    assert list(front.figures[""].data[1].y) == [0.5, 0.6]
    assert parameters.grid.heads == ["trial", *names]


def test_importance_finds_what_matters(tmp_path):
    study = make_search(tmp_path, trials=60)
    found = charts.parameter_importance(study)
    assert list(found.shares) == ["optimizer.lr", "encoder"]
    assert found.shares["optimizer.lr"] > 0.8
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.text.startswith("PED-ANOVA: how the best 10% differ from all 48 finished")
    few = make_search(tmp_path / "few", trials=20)
    assert charts.parameter_importance(few).shares == {}
    assert charts.parameter_importance(few).text == "After 20 finished trials; there are 16."


def test_the_page_of_a_search(tmp_path):
    make_search(tmp_path)
    text = write_report(tmp_path).read_text()
    assert "30 jobs: 3 failed, 24 finished, 3 pruned." in text
    assert "Score by trial" in text
    assert "Importance" in text
    assert "after epoch 4" in text
    assert "error: &lt;b&gt;no&lt;/b&gt; memory" in text  # what jobs print is text
    assert "<b>no</b>" not in text
    assert text.count(">complete<") == 24
    assert "data=camvid" in text  # of the best job
    assert 'scope="col">data</th>' not in text  # all have it
    assert 'scope="col">optimizer.lr</th>' in text
    assert '<option value="0">' not in text  # few parameters are radio buttons


def test_the_page_of_several_objectives(tmp_path):
    study = make_search(tmp_path, objectives=("score", "latency_ms"))
    text = write_report(tmp_path).read_text()
    assert "Pareto front" in text
    assert "Score by trial" not in text
    assert f"{len(study.best_trials)} are on the front" in text


def test_the_page_of_a_grid(tmp_path):
    for encoder, scores in (("small", (0.4, 0.5)), ("large", (0.6, 0.8))):
        for seed, value in enumerate(scores):
            write_run(tmp_path / f"{encoder}-{seed}", [f"encoder={encoder}", f"seed={seed}"],
                      score=value, latency_ms=12.5)  # fmt: skip
    waits = {"later": JobState(["encoder=huge", "seed=0"], "waiting")}
    text = write_report(tmp_path, read_jobs(tmp_path) | waits).read_text()
    assert "5 jobs: 4 finished, 1 waiting." in text
    assert "0.7000" in text  # mean of the large
    assert "0.1414" in text  # its standard deviation: 0.2 / sqrt(2)
    assert "Importance" not in text
    assert "<script" not in text  # a grid has no plots
    assert "huge" in text
    assert "mIoU from 0 to 1" in text
    assert '<th scope="col" class="number">latency (ms)</th>' in text


def test_a_job_that_says_it_runs_while_nobody_is_at_it(tmp_path):
    write_run(tmp_path / "job", ["seed=1"], "running")
    assert "1 job: 1 interrupted." in write_report(tmp_path).read_text()


def test_an_empty_sweep_has_a_page_too(tmp_path):
    (tmp_path / "folder").mkdir()
    assert "0 jobs: no job has begun." in write_report(tmp_path).read_text()


def test_many_jobs_are_cut_short(tmp_path):
    jobs = {
        f"job-{seed}": JobState([f"seed={seed}"], "finished", seed / 1000) for seed in range(1000)
    }
    text = write_report(tmp_path, jobs).read_text()
    assert "and 700 more, listed in jobs.csv" in text
    assert "0.9990" in text
    assert "0.6990" not in text


def test_a_storage_that_is_away_is_said_and_the_rest_is_shown(tmp_path, monkeypatch):
    write_run(tmp_path / "job", ["seed=1"], score=0.5)
    monkeypatch.delenv(STORAGE_VARIABLE, raising=False)
    write_study_file(tmp_path, "postgresql://me:***@host/db", "s")
    text = write_report(tmp_path).read_text()
    assert "The study could not be read" in text
    assert f"{STORAGE_VARIABLE} is not set to the URL postgresql://me:***@host/db." in text
    assert "0.5000" in text


def test_a_sweep_that_was_moved_finds_its_study(tmp_path):
    make_search(tmp_path / "here", trials=3)
    (tmp_path / "here").rename(tmp_path / "there")
    assert json.loads((tmp_path / "there" / "study.json").read_text())["storage"] is None
    assert "Score by trial" in write_report(tmp_path / "there").read_text()
