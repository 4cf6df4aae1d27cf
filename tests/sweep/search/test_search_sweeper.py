"""`-m sweep=search` through Hydra, a launcher and the stub of train.py."""

import json
import os
import signal
import subprocess
import sys
import time

import optuna
import pytest
import yaml
from conftest import ROOT
from fakes import fake_camvid
from made_searches import quick_sqlite
from stub_sweeps import STUB, starts, sweep

from segmentation.sweep.search.storage import STORAGE_VARIABLE
from segmentation.sweep.search.trials import TRIAL_FILE

SEARCH = ("sweep=search", "seed=int(interval(1,12))")


@pytest.fixture(autouse=True)
def quick_storage():
    with quick_sqlite():
        yield


def study_of(sweep_directory):
    noted = json.loads((sweep_directory / "study.json").read_text())
    url = noted["storage"] or f"sqlite:///{sweep_directory / 'study.db'}"
    return optuna.load_study(study_name=noted["study"], storage=url)


def states(sweep_directory):
    return [one.state.name for one in study_of(sweep_directory).get_trials()]


def test_a_search_draws_runs_and_goes_on_with_what_is_missing(tmp_path):
    result = sweep(tmp_path, *SEARCH, "sweep.trials=1")
    assert result.returncode == 0, result.stderr
    assert states(tmp_path) == ["COMPLETE"]
    for trial in study_of(tmp_path).get_trials():
        directory = tmp_path / trial.user_attrs["directory"]
        (start,) = starts(tmp_path)[directory.name]
        assert f"seed={trial.params['seed']}" in start["argv"]
        assert trial.value == trial.params["seed"] / 100
        assert json.loads((directory / TRIAL_FILE).read_text())["trial"] == trial._trial_id
        assert not [one for one in start["argv"] if one.startswith("sweep")]
    assert "best score on val:" in result.stdout
    assert "Score by trial" in (tmp_path / "report.html").read_text()
    again = sweep(tmp_path, *SEARCH, "sweep.trials=2")
    assert again.returncode == 0, again.stderr
    assert states(tmp_path) == ["COMPLETE"] * 2
    assert all(len(one) == 1 for one in starts(tmp_path).values())


@pytest.mark.slow
def test_failed_jobs_do_not_end_the_search(tmp_path):
    fixed = [
        "optimizer.lr=1e-3", "optimizer.weight_decay=0", "encoder.lr_factor=1", "augment=light",
        "loss=dice", "schedule=poly", "decoder.channels=[8,8,8,8,8]",
    ]  # fmt: skip
    search = ("sweep=search", *fixed, "seed=choice(13,5)")
    result = sweep(tmp_path, *search, "sweep.trials=6")
    assert result.returncode == 1
    assert "error: thirteen" in result.stdout
    assert set(states(tmp_path)) == {"FAIL", "COMPLETE"}
    assert len(starts(tmp_path)) == 2  # the same parameters again: no child
    failed = states(tmp_path).count("FAIL")
    sweep(tmp_path, *search, "sweep.trials=6", "sweep.retry=true")
    assert states(tmp_path).count("FAIL") == 2 * failed
    assert states(tmp_path).count("COMPLETE") == 6 - failed


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lrr=interval(0,1)", "there is no option 'optimizer.lrr'. Did you mean"),
        ("encoder=choice(resnet18,resnett34)", "encoder has no option 'resnett34'. Did you mean"),
        ("sweep.trails=3", "there is no option 'sweep.trails'"),
        ("data=camvid", "data.root is not set. Type data.root=<value>."),
        (
            "sweep.objectives=[score,latency_ms] sweep.pruner.name=MedianPruner",
            "type sweep.pruner=null",
        ),
        ("sweep.sampler.n_startup_trials=abc", "TPESampler fails with n_startup_trials=abc: "),
        ("sweep.pruner.after=2", "sweep.pruner.after=2: expected a share of the epochs, 0 to 1"),
        ("sweep.trials=many", "sweep.trials='many': expected a whole number of 1 or more"),
        ("sweep.pruner=MedianPruner", "sweep.pruner=MedianPruner has no name. Type sweep.pruner.n"),
        ("sweep.sampler.name=TPE", "sweep.sampler.name=TPE is none of"),
        ("seed=tag(log,interval(0,1))", "seed=tag(log,interval(0,1)) cannot be searched"),
        ("sweep.storage=postgresql://me:hunter2@127.0.0.1:9/db", "//***@127.0.0.1:9/db cannot be"),
    ],
)
def test_a_mistake_stops_the_search_before_any_job(tmp_path, override, message):
    result = sweep(tmp_path, *SEARCH, *override.split())
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert "hunter2" not in result.stdout + result.stderr
    assert starts(tmp_path) == {}
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in content for content in kept)


def test_a_storage_of_ones_own_is_read_from_the_environment(tmp_path):
    url = f"sqlite:///{tmp_path}/everyone.db"
    here = tmp_path / "here"
    storage = "sweep.storage=${oc.env:" + STORAGE_VARIABLE + "}"
    result = sweep(here, *SEARCH, "sweep.trials=1", storage, **{STORAGE_VARIABLE: url})
    assert result.returncode == 0, result.stderr
    assert [one.study_name for one in optuna.get_all_study_summaries(url)] == ["here"]


def begin(directory, *arguments):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, STUB, "-m", *arguments, f"hydra.sweep.dir={directory}"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


def wait_for(condition):
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.slow
def test_killed_twice_in_the_middle_nothing_is_lost_and_nothing_added(tmp_path):
    arguments = (*SEARCH, "sweep.trials=4", "launcher=joblib", "launcher.jobs=2")
    for _ in range(2):
        before = sum(map(len, starts(tmp_path).values()))
        process = begin(tmp_path, *arguments, "checkpoint_minutes=5")
        wait_for(lambda before=before: sum(map(len, starts(tmp_path).values())) >= before + 2)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert states(tmp_path) == ["RUNNING"] * 2
    drawn = [one.params for one in study_of(tmp_path).get_trials()]
    result = sweep(tmp_path, *arguments, "checkpoint_minutes=5", child=True)
    assert result.returncode == 0, result.stderr
    trials = study_of(tmp_path).get_trials()
    assert [one.state.name for one in trials] == ["COMPLETE"] * 4
    assert [one.params for one in trials[:2]] == drawn
    begun = starts(tmp_path)
    assert len(begun) == 4
    assert sorted(map(len, begun.values())) == [1, 1, 3, 3]
    for one in begun.values():
        assert all(start["argv"][-1].startswith("resume=") for start in one[1:])


@pytest.mark.slow
def test_real_trainings_report_each_epoch(tmp_path):
    data = fake_camvid(tmp_path / "data", {"train": 4, "val": 2})
    fixed = [
        "encoder=resnet18", "encoder.weights=none", "decoder.channels=[32,16,16,8,8]",
        "augment=none", "loss=cross_entropy", "schedule=constant", "optimizer.weight_decay=0",
        "encoder.lr_factor=1", "data=camvid", f"data.root={data}", "data.workers=0",
        "data.batch_size=2", "logger=none", "trainer=cpu", "trainer.max_epochs=3",
    ]  # fmt: skip
    result = sweep(
        tmp_path / "sweep", "sweep=search", *fixed, "sweep.trials=2", script="train.py", child=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for trial in study_of(tmp_path / "sweep").get_trials():
        directory = tmp_path / "sweep" / trial.user_attrs["directory"]
        metrics = json.loads((directory / "metrics.json").read_text())
        assert list(trial.intermediate_values) == [0, 1, 2]
        assert trial.value == metrics["score"]
        assert max(trial.intermediate_values.values()) == pytest.approx(trial.value, abs=1e-6)
        assert metrics["latency_ms"] > 0
        assert metrics["parameters"] > 1e6
        assert "sweep" not in yaml.safe_load((directory / "config.yaml").read_text())
