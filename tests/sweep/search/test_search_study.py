"""A study that processes come to and leave: its total, abandoned trials, failures, secrets."""

import json
import multiprocessing
import os
import signal
import time

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from made_searches import quick_sqlite, write_run
from optuna.trial import TrialState

from segmentation.errors import ConfigError
from segmentation.sweep.jobs.names import job_name
from segmentation.sweep.jobs.state import JobState, write_job
from segmentation.sweep.search.space import Space
from segmentation.sweep.search.storage import (
    STORAGE_VARIABLE,
    connect,
    redacted_url,
    storage_url,
)
from segmentation.sweep.search.study import Search
from segmentation.sweep.search.trials import TRIAL_FILE, TrialFile

SAMPLER = {"name": "TPESampler", "n_startup_trials": 4}
MEDIAN = {"name": "MedianPruner", "n_startup_trials": 0, "after": 0.5}


@pytest.fixture(autouse=True)
def quick_storage():
    with quick_sqlite():
        yield


def space_of(*overrides):
    return Space.from_overrides(OverridesParser.create().parse_overrides(list(overrides)))


RANGES = ("data=camvid", "lr=tag(log,interval(1e-4,1e-1))", "encoder=choice(small,large)")


def open_search(
    sweep, *ranges, objectives=("score",), storage=None, pruner=None, seed=0, name="s",
    sampler=SAMPLER,
):  # fmt: skip
    url = storage_url(storage, sweep)
    space = space_of(*(ranges or RANGES))
    return Search(url, name, sweep, space, objectives, sampler, seed, pruner)


def work(search, sweep, total, size=1, run=None, batches=10**9):
    """Run a search with jobs that are over at once; return the overrides that were run."""
    seen = []
    while batches and (draws := search.next(size, total)):
        for draw in draws:
            directory = sweep / job_name(draw.overrides)
            search.start(draw, directory)
            seen.append(draw.overrides)
            (run or score)(directory, draw.overrides)
        search.tell()
        batches -= 1
    return seen


def score(directory, overrides):
    if not directory.exists() or not (directory / "metrics.json").exists():
        write_run(directory, overrides, score=0.5)


def states(search):
    return [trial.state.name for trial in search.study.get_trials()]


@pytest.mark.parametrize("size", [1, 3])
def test_the_total_is_a_total(tmp_path, size):
    search = open_search(tmp_path)
    assert len(work(search, tmp_path, 4, size)) == 4
    search.close()
    again = open_search(tmp_path)
    assert work(again, tmp_path, 4, size) == []
    assert work(again, tmp_path, 3, size) == []
    assert len(work(again, tmp_path, 6, size)) == 2
    assert states(again) == ["COMPLETE"] * 6


def test_a_sampler_that_has_drawn_its_whole_space_ends_the_search(tmp_path):
    sampler = {"name": "BruteForceSampler"}
    search = open_search(tmp_path, "encoder=choice(small,large)", sampler=sampler)
    assert len(work(search, tmp_path, 9)) == 2
    assert states(search) == ["COMPLETE"] * 2


def test_what_is_drawn_follows_from_the_seed_however_often_it_is_interrupted(tmp_path):
    whole = work(open_search(tmp_path / "a"), tmp_path / "a", 6)
    parts = []
    for total in (1, 3, 6):
        search = open_search(tmp_path / "b")
        parts += work(search, tmp_path / "b", total)
        search.close()
    assert parts == whole
    other = work(open_search(tmp_path / "c", seed=1), tmp_path / "c", 6)
    assert not {tuple(one) for one in other} & {tuple(one) for one in whole}


def test_two_at_once_draw_different_trials_and_share_the_total(tmp_path):
    one, two = open_search(tmp_path), open_search(tmp_path)
    first, second = one.next(3, 8), two.next(3, 8)
    drawn = {tuple(draw.overrides) for draw in first + second}
    assert len(drawn) == 6
    assert len(one.next(3, 8)) == 2
    assert two.next(3, 8) == []  # the rest runs, and its process is there


def test_abandoned_trials_run_first_and_draw_nothing_new(tmp_path):
    dead = open_search(tmp_path)
    left = dead.next(2, 5)
    dead._lock.release()  # as the system does when a process dies
    search = open_search(tmp_path)
    assert [one.overrides for one in search.next(1, 5)] == [left[0].overrides]
    assert search.next(2, 5)[0].overrides == left[1].overrides
    assert search.study.get_trials()[0].state == TrialState.RUNNING


def test_a_trial_that_had_not_drawn_all_yet_is_gone_on_with(tmp_path):
    dead = open_search(tmp_path)
    trial = dead.study.ask()
    trial.set_user_attr("worker", dead._worker)
    rate = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    dead._lock.release()
    search = open_search(tmp_path)
    (draw,) = search.next(1, 1)
    assert draw.overrides[1] == f"lr={rate:.6g}"
    assert draw.overrides[2].startswith("encoder=")
    assert len(search.study.get_trials()) == 1


def test_a_trial_of_another_machine_is_left_to_it(tmp_path):
    """They share the storage, not the sweep directory."""
    storage = f"sqlite:///{tmp_path}/shared.db"
    there = open_search(tmp_path / "there", storage=storage)
    there.next(2, 4)
    there._lock.release()
    here = open_search(tmp_path / "here", storage=storage)
    assert len(here.next(9, 4)) == 2


def test_an_interrupted_job_stays_running_for_the_next_start(tmp_path):
    def stopped(directory, overrides):
        directory.mkdir()
        write_job(directory, JobState(overrides, "interrupted", exit_code=143))

    search = open_search(tmp_path)
    (overrides,) = work(search, tmp_path, 1, run=stopped)
    assert states(search) == ["RUNNING"]
    search.close()

    def resumed(directory, overrides):
        (directory / "metrics.json").write_text('{"score": 0.4}')
        write_job(directory, JobState(overrides, "finished", 0.4))

    again = open_search(tmp_path)
    assert work(again, tmp_path, 1, run=resumed) == [overrides]
    assert again.study.best_value == 0.4
    again.close()
    assert list((tmp_path / ".workers").iterdir()) == []


def failing(directory, overrides):
    if not directory.exists():
        write_run(directory, overrides, "failed", error="no")


def test_failed_jobs_count_and_are_tried_again_on_request(tmp_path):
    search = open_search(tmp_path)
    tried = work(search, tmp_path, 3, run=failing)
    assert states(search) == ["FAIL"] * 3
    search.close()
    again = open_search(tmp_path)
    assert work(again, tmp_path, 3) == []
    again.retry()
    again.retry()  # once is enough
    redone = work(again, tmp_path, 3, run=lambda path, _: write_metrics(path, score=0.3))
    assert redone == tried
    assert states(again) == ["FAIL"] * 3 + ["COMPLETE"] * 3
    again.retry()
    assert work(again, tmp_path, 3) == []


def write_metrics(directory, **values):
    job = JobState([], "finished", values.get("score"))
    (directory / "metrics.json").write_text(json.dumps(values))
    write_job(directory, job)


@pytest.mark.parametrize("metrics", [{}, {"score": None}])
def test_a_job_without_a_score_failed(tmp_path, metrics):
    search = open_search(tmp_path)

    def run(directory, overrides):
        directory.mkdir()
        (directory / "metrics.json").write_text(json.dumps(metrics))

    work(search, tmp_path, 1, run=run)
    assert states(search) == ["FAIL"]


def test_the_same_parameters_twice_are_told_the_recorded_score(tmp_path):
    ran = []

    def run(directory, overrides):
        if not directory.exists():
            ran.append(overrides)
            write_run(directory, overrides, score=0.1 * len(ran))

    search = open_search(tmp_path, "a=choice(1,2)")
    assert len(work(search, tmp_path, 10, size=3, run=run)) == 10
    assert len(ran) == 2
    assert {trial.value for trial in search.study.get_trials()} == {0.1, 0.2}


def test_a_pruned_job_is_told_with_its_intermediate_values(tmp_path):
    search = open_search(tmp_path, pruner=MEDIAN)

    def run(directory, overrides):
        trial = TrialFile.read(directory).open()
        for epoch, value in enumerate((0.1, 0.2, 0.15)):
            trial.report(value, epoch)
        write_metrics(directory, score=0.2, pruned=3)

    work(search, tmp_path, 1, run=run)
    (trial,) = search.study.get_trials()
    assert trial.state == TrialState.PRUNED
    assert trial.intermediate_values == {0: 0.1, 1: 0.2, 2: 0.15}
    assert trial.value == 0.15


def test_a_pruned_job_that_another_trial_ran_has_a_value_too(tmp_path):
    search = open_search(tmp_path, "a=choice(1)", pruner=MEDIAN)

    def run(directory, overrides):
        write_metrics(directory, score=0.2, pruned=3)

    work(search, tmp_path, 2, run=run)
    assert [(one.state, one.value) for one in search.study.get_trials()] == [
        (TrialState.PRUNED, 0.2)
    ] * 2


def test_several_objectives(tmp_path):
    search = open_search(tmp_path, objectives=("score", "latency_ms"))
    costs = iter([(0.5, 30), (0.6, 40), (0.4, 35)])

    def run(directory, overrides):
        value, latency = next(costs)
        write_run(directory, overrides, score=value, latency_ms=latency)

    work(search, tmp_path, 3, run=run)
    assert {tuple(one.values) for one in search.study.best_trials} == {(0.5, 30), (0.6, 40)}


@pytest.mark.parametrize("objectives", [["score", "latency_ms"], ["latency_ms"]])
def test_pruning_goes_with_the_score_alone(tmp_path, objectives):
    with pytest.raises(ConfigError, match=r"Otherwise type sweep\.pruner=null"):
        open_search(tmp_path, objectives=objectives, pruner=MEDIAN)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"objectives": ["miou"]},
            r"sweep\.objectives=\['miou'\]: expected one or more of score, lat",
        ),
        ({"objectives": []}, r"sweep\.objectives=\[\]"),
        (
            {"pruner": {"name": "Median"}},
            r"sweep\.pruner\.name=Median is none of Hyperband.*MedianPruner, ",
        ),
        ({"pruner": {"name": "MedianPruner", "n": 1}}, r"sweep\.pruner: .*unexpected keyword.*'n'"),
        (
            {"storage": "a file"},
            r"sweep\.storage is not a URL of a database\. Type sqlite:///<file>",
        ),
        ({"storage": "sqlite:////nowhere/at/all.db"}, r"sqlite:////nowhere/at/all\.db cannot be"),
        ({"storage": "nothing://host/db"}, r"nothing://host/db cannot be opened"),
    ],
)
def test_a_wrong_option_is_an_error_before_anything_is_made(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        open_search(tmp_path, **options)
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        (("data=streets", *RANGES[1:]), r"Fixed then: \['data=camvid'\]; now: \['data=streets'\]"),
        (("data=camvid", "lr=interval(0,1)"), r"Searched then: .*log=True.*now: .*log=False"),
    ],
)
def test_a_study_of_other_trials_is_not_gone_on_with(tmp_path, ranges, message):
    open_search(tmp_path).close()
    with pytest.raises(ConfigError, match=message):
        open_search(tmp_path, *ranges)
    with pytest.raises(ConfigError, match="Objectives then"):
        open_search(tmp_path, objectives=["parameters"])
    open_search(tmp_path, *RANGES, "sweep.trials=9", "launcher.jobs=3").close()


SECRET = "postgresql://me:hunter2@host/db?sslpassword=hunter3&sslmode=require"


def test_a_password_is_neither_shown_nor_kept(tmp_path, monkeypatch):
    assert redacted_url(SECRET) == "postgresql://me:***@host/db?sslmode=require&sslpassword=***"
    for raised in (lambda: connect(SECRET), lambda: open_search(tmp_path, storage=SECRET)):
        with pytest.raises(ConfigError) as error:
            raised()
        assert "hunter" not in str(error.value)
        assert error.value.__cause__ is None
    monkeypatch.delenv(STORAGE_VARIABLE, raising=False)
    trial = TrialFile(redacted_url(SECRET), "s", 1)
    with pytest.raises(ConfigError, match=rf"{STORAGE_VARIABLE} is not set to .*me:\*\*\*@host"):
        trial.open()
    monkeypatch.setenv(STORAGE_VARIABLE, SECRET.replace("host", "other"))
    with pytest.raises(ConfigError, match=f"{STORAGE_VARIABLE} is not set to"):
        trial.open()


def test_a_job_finds_a_storage_with_a_password_by_its_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(STORAGE_VARIABLE, "")
    storage = f"sqlite:///{tmp_path}/own.db?password=hunter2"

    def connect_without_password(url):
        return connect(url.partition("?")[0])

    for module in ("storage", "study"):
        monkeypatch.setattr(f"segmentation.sweep.search.{module}.connect", connect_without_password)
    monkeypatch.setattr("segmentation.sweep.search.study.connect", lambda url, real=connect: real(
        url.partition("?")[0]
    ))  # fmt: skip
    search = open_search(tmp_path, storage=storage, pruner=MEDIAN)
    (draw,) = search.next(1, 1)
    search.start(draw, tmp_path / "job")
    assert TrialFile.read(tmp_path / "job").open().number == 0
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) >= 3
    assert not any(b"hunter2" in path.read_bytes() for path in kept)


def test_a_trial_file_says_what_is_wrong_with_its_study(tmp_path):
    search = open_search(tmp_path, pruner=MEDIAN)
    (draw,) = search.next(1, 1)
    search.start(draw, tmp_path / "job")
    search.study.tell(0, 0.5)
    trial = TrialFile.read(tmp_path / "job")
    assert json.loads((tmp_path / "job" / TRIAL_FILE).read_text())["after"] == 0.5
    with pytest.raises(ConfigError, match="the trial has ended"):
        trial.open()
    with pytest.raises(ConfigError, match="does not have this trial"):
        TrialFile(trial.storage, trial.study, 99).open()
    with pytest.raises(ConfigError, match="has no study gone"):
        TrialFile(trial.storage, "gone", 1).open()


def test_a_relative_storage_is_the_same_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert storage_url("sqlite:///a/b.db", tmp_path) == f"sqlite:///{tmp_path}/a/b.db"
    assert storage_url(None, tmp_path) == f"sqlite:///{tmp_path}/study.db"


def process(sweep, total, pause):
    def run(directory, overrides):
        time.sleep(pause)
        score(directory, overrides)

    search = open_search(sweep)
    work(search, sweep, total, size=2, run=run)
    search.close()


@pytest.mark.slow
def test_two_processes_on_one_study_one_of_them_killed(tmp_path):
    """Real processes that begin at the same moment, on tables that are not there yet."""
    context = multiprocessing.get_context("fork")
    doomed, other = (
        context.Process(target=process, args=(tmp_path, 14, pause)) for pause in (30, 0.01)
    )
    doomed.start()
    other.start()
    other.join(60)
    assert other.exitcode == 0
    study = optuna.load_study(study_name="s", storage=storage_url(None, tmp_path))
    assert [one.state.name for one in study.get_trials()].count("RUNNING") == 2  # of the slow one
    os.kill(doomed.pid, signal.SIGKILL)
    doomed.join(60)
    last = context.Process(target=process, args=(tmp_path, 14, 0))
    last.start()
    last.join(60)
    trials = study.get_trials()
    assert [one.state for one in trials] == [TrialState.COMPLETE] * 14
    assert len({json.dumps(one.params) for one in trials}) == 14
