"""Jobs of a sweep, through Hydra's own sweeper and basic launcher, with a stub for train.py."""

import json

import pytest
from commands import run
from filelock import FileLock
from stub_sweeps import STUB, jobs, starts, sweep, table

from segmentation.console import argument
from segmentation.sweep.earlier import note_command, unfinished_sweep
from segmentation.sweep.jobs.names import job_name
from segmentation.sweep.jobs.state import read_job


def directory_of(root, *overrides):
    return root / job_name(overrides)


def test_each_job_is_a_child_with_its_own_overrides_and_directory(tmp_path):
    result = sweep(tmp_path, "seed=1,2", "encoder=vgg11", "sweep.keep=all")
    assert result.returncode == 0, result.stderr
    found = jobs(tmp_path)
    assert {key: job.score for key, job in found.items()} == {
        "seed=1 encoder=vgg11": 0.01,
        "seed=2 encoder=vgg11": 0.02,
    }
    assert all(job.state == "finished" and job.exit_code == 0 for job in found.values())
    directory = directory_of(tmp_path, "encoder=vgg11", "seed=2")
    (start,) = starts(tmp_path)[directory.name]
    assert start["argv"] == ["seed=2", "encoder=vgg11", f"hydra.run.dir={directory}"]
    environment = start["environment"]
    assert environment["WANDB_RUN_GROUP"] == tmp_path.name
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert environment["OMP_NUM_THREADS"] == environment["CITYSEG_CORES"]
    assert "HYDRA_FULL_ERROR" not in environment
    assert "best score on val: 0.0200" in result.stdout
    assert result.stdout.index(f"hydra.sweep.dir={tmp_path}") < result.stdout.index("best score")
    assert result.stdout.count("2 jobs: 2 finished") == 1
    assert [row["score"] for row in table(tmp_path)] == ["0.01", "0.02"]


def test_it_says_what_to_type_next_and_where_an_earlier_start_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    earlier = tmp_path / "runs" / "sweeps" / "0 earlier"
    earlier.mkdir(parents=True)
    note_command(earlier, ["seed=3", "-m"], ended=False)
    result = run(STUB, "-m", "seed=3", CUDA_VISIBLE_DEVICES="")
    assert result.returncode == 0, result.stderr
    where = f"{earlier}; to continue it, add {argument('hydra.sweep.dir', earlier)}"
    assert f"an unfinished sweep of this command is in {where}" in result.stdout
    (new,) = {path.parent for path in earlier.parent.glob("*/jobs.csv")}
    assert result.stdout.endswith(f"next:\n  python compare.py sweep={new}\n")
    assert unfinished_sweep(new, ["-m", "seed=3"]) == earlier
    assert unfinished_sweep(earlier, ["-m", "seed=3"]) is None


def test_the_same_command_runs_only_what_is_missing(tmp_path):
    sweep(tmp_path, "seed=1,2")
    again = sweep(tmp_path, "encoder=resnet18,vgg11", "seed=2,1,3")
    assert again.returncode == 0  # other overrides are other jobs
    result = sweep(tmp_path, "seed=3,2,1", "sweep.keep=last", "launcher.jobs=1")
    assert result.returncode == 0, result.stderr
    for seed in (1, 2, 3):
        assert len(starts(tmp_path)[directory_of(tmp_path, f"seed={seed}").name]) == 1
    assert "3 jobs: 3 finished" in result.stdout  # of this command
    assert len(jobs(tmp_path)) == len(table(tmp_path)) == 9  # the directory's, of all commands
    assert "9 jobs: 9 finished" in (tmp_path / "report.html").read_text()


def test_a_finished_job_is_told_from_its_files_alone(tmp_path):
    directory = directory_of(tmp_path, "seed=4")
    directory.mkdir()
    (directory / "metrics.json").write_text(json.dumps({"score": 0.75, "pruned": 3}))
    assert sweep(tmp_path, "seed=4").returncode == 0
    assert starts(tmp_path) == {}
    job = read_job(directory)
    assert (job.state, job.score) == ("pruned", 0.75)


def test_a_failed_job_is_reported_and_the_others_go_on(tmp_path):
    result = sweep(tmp_path, "seed=1,13,2")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr + result.stdout
    assert "    error: thirteen" in result.stdout  # the end of its log
    assert f"1 of 3 jobs failed: {job_name(['seed=13'])}" in result.stdout
    assert "sweep.retry=true" in result.stdout
    found = jobs(tmp_path)
    assert [found[f"seed={seed}"].state for seed in (1, 13, 2)] == [
        "finished",
        "failed",
        "finished",
    ]
    assert found["seed=13"].exit_code == 1
    assert found["seed=13"].error == "the data are cursed\nerror: thirteen"
    console = directory_of(tmp_path, "seed=13") / "console.log"
    assert console.read_text() == "the data are cursed\nerror: thirteen\n"
    assert {row["seed"]: row["state"] for row in table(tmp_path)}["13"] == "failed"


def test_a_failed_job_runs_again_on_request_only(tmp_path):
    name = job_name(["seed=13"])
    sweep(tmp_path, "seed=13")
    assert sweep(tmp_path, "seed=13").returncode == 1  # it is failed still
    assert len(starts(tmp_path)[name]) == 1
    assert sweep(tmp_path, "seed=13", "sweep.retry=true").returncode == 1
    _, second = starts(tmp_path)[name]
    assert second["argv"] == ["seed=13", f"resume={tmp_path / name}"]


def test_an_interrupted_job_goes_on_in_its_directory(tmp_path):
    directory = directory_of(tmp_path, "seed=5")
    directory.mkdir()
    (directory / "config.yaml").touch()
    state = {"overrides": ["seed=5"], "state": "running", "seconds": 100, "started": 0}
    (directory / "job.json").write_text(json.dumps(state))
    assert sweep(tmp_path, "seed=5").returncode == 0
    (start,) = starts(tmp_path)[directory.name]
    assert start["argv"] == ["seed=5", f"resume={directory}"]
    assert read_job(directory).seconds >= 100  # of all attempts


@pytest.mark.parametrize(
    ("keep", "kept"),
    [("all", {"best", "last", "previous"}), ("best", {"best"}), ("last", {"last"})],
)
def test_the_checkpoints_kept_are_bounded(tmp_path, keep, kept):
    sweep(tmp_path, "seed=1", f"sweep.keep={keep}")
    checkpoints = directory_of(tmp_path, "seed=1") / "checkpoints"
    assert {path.stem for path in checkpoints.iterdir()} == kept


def test_fail_fast_starts_no_further_job(tmp_path):
    result = sweep(tmp_path, "seed=1,13,2,3", "sweep.fail_fast=true")
    assert result.returncode == 1
    assert {job.state for job in jobs(tmp_path).values()} == {"finished", "failed"}
    assert len(starts(tmp_path)) == 2
    assert "4 jobs: 1 failed, 1 finished, 2 waiting" in result.stdout
    assert "continue with:" in result.stdout
    assert sweep(tmp_path, "seed=1,13,2,3").returncode == 1
    assert len(starts(tmp_path)) == 4  # it went on


@pytest.mark.parametrize("lock", ["job.lock", "run.lock"])
def test_a_job_that_runs_elsewhere_is_left_alone(tmp_path, lock, monkeypatch):
    monkeypatch.setattr("segmentation.sweep.jobs.child.GRACE_SECONDS", 0)
    directory = directory_of(tmp_path, "seed=1")
    directory.mkdir()
    with FileLock(directory / lock):
        result = sweep(tmp_path, "seed=1,2")
    assert result.returncode == 1  # of this sweep's jobs not all are done
    assert f"{directory.name} is running elsewhere" in result.stdout
    assert set(starts(tmp_path)) == {job_name(["seed=2"])}


def test_the_same_job_twice_runs_once(tmp_path):
    assert sweep(tmp_path, "seed=1,1").returncode == 0
    assert [len(one) for one in starts(tmp_path).values()] == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data.bach_size=2,4"], "no option 'data.bach_size'. Did you mean 'data.batch_size'"),
        (["encoder=resnet18,resnet43"], "encoder has no option 'resnet43'. Did you mean"),
        (["seed=1,2", "encoder=timm"], "encoder.name is not set"),
        (["seed=1,2", "launcher=joblob"], "launcher has no option 'joblob'. Did you mean 'joblib'"),
        (
            ["seed=1", "sweep.keep=bets"],
            "sweep.keep=bets: use all, best, last. Did you mean 'best'",
        ),
        (["seed=1", "launcher.gpus_per_job=1"], "this machine has no GPUs. Type launcher.gpus_per"),
        (
            ["seed=1", "launcher.gpus_per_job=0.5"],
            "only Ray shares a GPU among jobs. Type launcher=ray",
        ),
        (["seed=1,2", "resume=auto"], "resume= and rerun= are for a single run"),
        (["seed=1", "sweep.retri=true"], "no option 'sweep.retri'. Did you mean 'sweep.retry'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_stops_the_sweep_before_any_job_starts(tmp_path, arguments, message):
    result = sweep(tmp_path, *arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert starts(tmp_path) == {}


def test_a_launcher_that_is_not_installed_says_what_to_type(tmp_path, monkeypatch):
    from hydra.core.config_store import ConfigStore

    group = ConfigStore.instance().repo["hydra"]["launcher"]
    monkeypatch.delitem(group, "ray.yaml", raising=False)
    monkeypatch.setattr("hydra.core.plugins.Plugins.discover", lambda *_: [])
    result = sweep(tmp_path, "seed=1", "launcher=ray")
    assert result.returncode == 1
    assert "hydra/launcher=ray is not installed. Type pip install 'cityseg[ray]'." in result.stderr


def test_folds_are_collected_with_mean_and_standard_deviation(tmp_path):
    result = sweep(tmp_path, "data.folds=3", "data.fold=0,1,2", "seed=2,4")
    assert result.returncode == 0, result.stderr
    # six jobs, three with 0.02 and three with 0.04: n - 1 = 5
    assert "6 │ 0.0300 │                     0.0110" in result.stdout


def test_a_job_sees_one_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = sweep(tmp_path / "sweep", "seed=1", CUDA_VISIBLE_DEVICES="4,6")
    assert result.returncode == 0, result.stderr
    ((start,),) = starts(tmp_path / "sweep").values()
    assert start["environment"]["CUDA_VISIBLE_DEVICES"] == "4"


def test_a_relative_directory_counts_from_where_the_sweep_was_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = sweep("some where", "seed=1")
    assert result.returncode == 0, result.stderr
    ((start,),) = starts(tmp_path / "some where").values()
    assert start["cwd"] == str(tmp_path)
