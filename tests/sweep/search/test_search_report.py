"""The page of a sweep, and what of a study it shows."""

import json

import optuna
import pytest
from made_searches import make_search, quick_sqlite, write_run

from segmentation.sweep.jobs.state import JobState
from segmentation.sweep.report import read_rows, write_report
from segmentation.sweep.search import plots
from segmentation.sweep.search.trials import STORAGE_VARIABLE, write_study_file
from segmentation.sweep.table import Row


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


def test_history_draws_points_and_the_best_so_far():
    plot = plots.history(in_memory(0.5, 0.4, 0.6))
    heights = [point.y for point in plot.points]
    assert heights[1] < heights[0] < heights[2] <= 1
    assert [point.said for point in plot.points][2] == "trial 2: 0.6000"
    first, third = plot.points[0], plot.points[2]
    assert plot.line == [
        (first.x, first.y), (third.x, first.y), (third.x, third.y), (1.0, third.y),
    ]  # fmt: skip
    assert plot.said == "Score of 3 trials; the best of them has 0.6000."


def test_a_pruned_trial_is_drawn_but_never_the_best():
    pruned = optuna.trial.TrialState.PRUNED
    plot = plots.history(in_memory(0.9, 0.5, states=[pruned]))
    assert [point.kind for point in plot.points] == ["pruned", "complete"]
    assert plot.line[0] == (plot.points[1].x, plot.points[1].y)
    alone = plots.history(in_memory(0.9, states=[pruned]))
    assert alone.line == []
    assert alone.said.endswith("none has run to its end.")


def test_ticks_are_round_numbers_inside():
    for values in ((0.0, 0.0), (0.31, 0.74), (0.701, 0.7023), (3.0, 14e6), (-2.0, 5.0)):
        plot = plots.history(in_memory(*values))
        assert 2 <= len(plot.y_ticks) <= 8
        assert all(0 <= place <= 1 for _, place in plot.y_ticks)
        assert len({label for label, _ in plot.y_ticks}) == len(plot.y_ticks)
    assert [label for label, _ in plots.history(in_memory(0.1, 0.4)).y_ticks] == [
        "0.1", "0.2", "0.3", "0.4",
    ]  # fmt: skip


def test_the_front_by_hand():
    study = in_memory(
        (0.5, 10.0), (0.6, 20.0), (0.55, 25.0), (0.7, 50.0), (0.4, 10.0),
        directions=("maximize", "minimize"),
    )  # fmt: skip
    assert [one.number for one in plots.front(study)] == [3, 1, 0]
    plot = plots.pareto(study, ["score", "latency_ms"])
    assert [point.kind for point in plot.points].count("front") == 3
    assert plot.names == ("latency_ms", "score")


def test_importance_finds_what_matters(tmp_path):
    study = make_search(tmp_path, trials=60)
    found = plots.importance(study)
    assert list(found.shares) == ["optimizer.lr", "encoder"]
    assert found.shares["optimizer.lr"] > 0.8
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.said.startswith("PED-ANOVA: in what the best 10% differ from all 48 finished")
    few = make_search(tmp_path / "few", trials=20)
    assert plots.importance(few).shares == {}
    assert plots.importance(few).said == "After 20 finished trials; there are 16."


def test_the_page_of_a_search(tmp_path):
    make_search(tmp_path)
    text = write_report(tmp_path).read_text()
    assert "30 jobs: 3 failed, 24 finished, 3 pruned." in text
    assert "Score by trial" in text
    assert "Importance" in text
    assert "after epoch 4" in text
    assert "error: &lt;b&gt;no&lt;/b&gt; memory" in text  # what jobs print is text
    assert "<b>no</b>" not in text
    assert text.count('class="complete"') == 24
    assert text.count('class="pruned"') == 3
    assert "data=camvid" in text  # of the best job
    assert 'scope="col">data</th>' not in text  # all have it
    assert 'scope="col">optimizer.lr</th>' in text


def test_the_page_of_several_objectives(tmp_path):
    study = make_search(tmp_path, objectives=("score", "latency_ms"))
    text = write_report(tmp_path).read_text()
    assert "Pareto front" in text
    assert "Score by trial" not in text
    assert text.count('<i class="front"') == len(study.best_trials)


def test_the_page_of_a_grid(tmp_path):
    for encoder, scores in (("small", (0.4, 0.5)), ("large", (0.6, 0.8))):
        for seed, value in enumerate(scores):
            write_run(tmp_path / f"{encoder}-{seed}", [f"encoder={encoder}", f"seed={seed}"],
                      score=value)  # fmt: skip
    waits = Row("later", ["encoder=huge", "seed=0"])
    text = write_report(tmp_path, [*read_rows(tmp_path), waits]).read_text()
    assert "5 jobs: 4 finished, 1 waiting." in text
    assert "0.7000" in text  # mean of the large
    assert "0.1414" in text  # its standard deviation: 0.2 / sqrt(2)
    assert "Importance" not in text
    assert "huge" in text


def test_a_job_that_says_it_runs_while_nobody_is_at_it(tmp_path):
    write_run(tmp_path / "job", ["seed=1"], "running")
    assert "1 job: 1 interrupted." in write_report(tmp_path).read_text()


def test_an_empty_sweep_has_a_page_too(tmp_path):
    (tmp_path / "folder").mkdir()
    assert "0 jobs: no job has begun." in write_report(tmp_path).read_text()


def test_many_jobs_are_cut_short(tmp_path):
    rows = [
        Row(f"job-{one}", [f"seed={one}"], JobState([f"seed={one}"], "finished", one / 1000))
        for one in range(1000)
    ]
    text = write_report(tmp_path, rows).read_text()
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
