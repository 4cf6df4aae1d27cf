"""What a job gets of the machine."""

import os
from contextlib import ExitStack
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.errors import ConfigError
from segmentation.sweep.jobs.allotment import Allotment, allotment, child_environment, held_gpus
from segmentation.system.hardware import available_cores

JOBLIB = {"launcher": "joblib", "jobs": "auto", "gpus_per_job": "auto", "cpus_per_job": "auto"}


@pytest.fixture
def gpus(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr("segmentation.sweep.jobs.allotment.available_cores", lambda: 16)


@pytest.mark.parametrize(
    ("launcher", "expected"),
    [
        ({}, Allotment(2, 1, 8, 2)),
        ({"gpus_per_job": 2}, Allotment(1, 2, 16, 2)),
        ({"gpus_per_job": 0}, Allotment(4, 0, 4, 0)),
        ({"jobs": 3, "cpus_per_job": 2}, Allotment(3, 1, 2, 2)),
        ({"launcher": "basic", "jobs": 1}, Allotment(1, 1, 16, 2)),
        (
            {"launcher": "slurm", "jobs": 9, "gpus_per_job": 8, "cpus_per_job": 7},
            Allotment(9, 8, 7, 0),
        ),
    ],
)
def test_auto_follows_what_is_there(gpus, launcher, expected):
    assert allotment(**JOBLIB | launcher) == expected


def test_without_gpus_a_job_has_a_few_cores(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for cores, expected in ((16, Allotment(4, 0, 4, 0)), (1, Allotment(2, 0, 1, 0))):
        monkeypatch.setattr("segmentation.sweep.jobs.allotment.available_cores", lambda n=cores: n)
        assert allotment(**JOBLIB) == expected


@pytest.mark.parametrize(
    ("launcher", "message"),
    [
        ({"gpus_per_job": 3}, "launcher.gpus_per_job=3, but this machine has 2 GPUs"),
        ({"gpus_per_job": 1.5}, "expected auto or a whole number of 0 or more"),
        (
            {"gpus_per_job": 0.5},
            r"gpus_per_job=0\.5: only Ray shares a GPU among jobs\. .*launcher=ray",
        ),
        ({"gpus_per_job": -1}, "launcher.gpus_per_job=-1: expected"),
        ({"gpus_per_job": "many"}, "launcher.gpus_per_job=many: expected"),
        ({"jobs": 0}, "launcher.jobs=0: expected auto or a whole number"),
        ({"cpus_per_job": "x"}, "launcher.cpus_per_job=x: expected"),
        ({"launcher": "slurm", "gpus_per_job": 0.5}, "SLURM gives whole GPUs"),
    ],
)
def test_what_cannot_be_is_refused(gpus, launcher, message):
    with pytest.raises(ConfigError, match=message):
        allotment(**JOBLIB | launcher)


def never():
    return False


def test_a_gpu_is_held_by_one_job_at_a_time(gpus):
    with held_gpus(1, never) as first, held_gpus(1, never) as second:
        assert sorted([*first, *second]) == ["0", "1"]
        with held_gpus(1, lambda: True) as third:
            assert third is None
    with held_gpus(2, never) as both:
        assert sorted(both) == ["0", "1"]


def test_two_gpus_are_not_given_while_one_of_them_is_held(gpus):
    asked = iter([False, True])
    with held_gpus(1, never), held_gpus(2, lambda: next(asked)) as none:
        assert none is None
        with held_gpus(1, never) as one:  # the attempt let go of the other one
            assert len(one) == 1


def test_ray_shares_a_gpu(gpus, monkeypatch):
    monkeypatch.setattr("segmentation.sweep.jobs.allotment._gpus_there", lambda launcher: 2)
    ray = JOBLIB | {"launcher": "ray", "gpus_per_job": 0.5}
    assert allotment(**ray) == Allotment(4, 0.5, 4, 2)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([1, 2]), max_size=4))
def test_no_gpu_is_given_twice(wanted):
    with (
        TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        ExitStack() as held,
    ):
        patch.setattr("tempfile.tempdir", folder)
        patch.setattr("segmentation.sweep.jobs.allotment.RETRY_SECONDS", 0)
        patch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
        taken = []
        for count in wanted:
            asked = iter([False, True])
            given_ = held.enter_context(held_gpus(count, lambda asked=asked: next(asked)))
            # refused only if too few are free
            assert (given_ is None) == (count > 2 - len(taken))
            taken += given_ or []
        assert len(taken) == len(set(taken))


def test_a_child_sees_its_gpus_and_cores_and_no_scheduler(monkeypatch):
    for name in ("SLURM_NTASKS", "SLURM_JOB_ID", "SUBMITIT_EXECUTOR", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.setenv(name, "2")
    monkeypatch.setenv("SLURM_TMPDIR", "/scratch")
    seen = child_environment("mine", ["3"], 5)
    assert not {"SLURM_NTASKS", "SLURM_JOB_ID", "SUBMITIT_EXECUTOR", "LOCAL_RANK"} & set(seen)
    assert "WORLD_SIZE" not in seen
    assert seen["SLURM_TMPDIR"] == "/scratch"
    assert (seen["CUDA_VISIBLE_DEVICES"], seen["OMP_NUM_THREADS"]) == ("3", "5")
    assert (seen["WANDB_RUN_GROUP"], seen["CITYSEG_PARENT"]) == ("mine", str(os.getpid()))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert child_environment("mine", None, 5)["CUDA_VISIBLE_DEVICES"] == "7"


def test_the_cores_of_a_job_are_its_share(monkeypatch):
    monkeypatch.delenv("CITYSEG_CORES")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert available_cores() == 8
    monkeypatch.setenv("CITYSEG_CORES", "3")
    assert available_cores() == 3
    monkeypatch.setenv("CITYSEG_CORES", "99")
    assert available_cores() == 8
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # torchrun says so on any machine
    assert available_cores() == 8
