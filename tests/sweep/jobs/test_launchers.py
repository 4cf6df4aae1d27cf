"""The four launchers for real, with a stub for train.py; SLURM by a cluster of one machine."""

import os
import re

import pytest
import slurm
from stub_sweeps import jobs, starts, sweep

from segmentation.sweep.jobs.names import job_name

SEEDS = "seed=1,13,2"


def is_right(root, result):
    """A failed job among three, whatever the launcher."""
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert "    error: thirteen" in result.stdout
    assert f"1 of 3 jobs failed: {job_name(['seed=13'])}" in result.stdout
    assert {key: (job.state, job.score) for key, job in jobs(root).items()} == {
        "seed=1": ("finished", 0.01),
        "seed=13": ("failed", None),
        "seed=2": ("finished", 0.02),
    }
    noted = starts(root)
    assert set(noted) == {job_name([f"seed={seed}"]) for seed in (1, 13, 2)}  # under each launcher
    return [start["environment"] for (start,) in noted.values()]


def resumes(root, *arguments, **environment):
    """The same command starts what failed, and nothing else."""
    result = sweep(root, SEEDS, *arguments, "sweep.retry=true", child=True, **environment)
    assert result.returncode == 1, result.stderr
    assert {name: len(one) for name, one in starts(root).items()} == {
        job_name(["seed=1"]): 1, job_name(["seed=2"]): 1, job_name(["seed=13"]): 2,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit"])
def test_on_this_machine(tmp_path, launcher):
    root = tmp_path / "sweep"
    result = sweep(root, SEEDS, f"launcher={launcher}", "launcher.cpus_per_job=3", child=True)
    for environment in is_right(root, result):
        assert environment["OMP_NUM_THREADS"] == "3"
        assert environment["CUDA_VISIBLE_DEVICES"] == ""
        assert not any(key.startswith("SUBMITIT_") for key in environment)
    resumes(root, f"launcher={launcher}")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit"])
def test_jobs_at_once_have_a_gpu_each(tmp_path, launcher):
    result = sweep(
        tmp_path / "sweep", "seed=1,2", f"launcher={launcher}", "checkpoint_minutes=4",
        "launcher.gpus_per_job=1", child=True, CUDA_VISIBLE_DEVICES="3,5", TMPDIR=str(tmp_path),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = jobs(tmp_path / "sweep").values()
    first, second = sorted(job.started for job in found)
    assert second - first < 4  # at once
    seen = sorted(
        start["environment"]["CUDA_VISIBLE_DEVICES"]
        for (start,) in starts(tmp_path / "sweep").values()
    )
    # submitit numbers the GPUs it gives itself from 0
    assert seen == (["3", "5"] if launcher == "joblib" else ["0", "1"])


@pytest.mark.slow
def test_on_ray(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    root = tmp_path / "sweep"
    result = sweep(
        root, SEEDS, "launcher=ray", "launcher.cpus_per_job=1", child=True, HOME=str(home)
    )
    for environment in is_right(root, result):
        assert environment["OMP_NUM_THREADS"] == "1"
    assert list(home.iterdir()) == []  # nothing is written there
    refused = sweep(
        root, SEEDS, "launcher=ray", "launcher.gpus_per_job=1", child=True, HOME=str(home)
    )
    assert refused.returncode == 1  # in place of waiting for ever
    assert "the Ray cluster has no GPUs. Type launcher.gpus_per_job=0" in refused.stderr


@pytest.mark.slow
def test_on_slurm(tmp_path):
    slurm.install(tmp_path / "bin", tmp_path / "script.sh")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    root = tmp_path / "sweep"
    arguments = ["launcher=slurm", "launcher.jobs=4", "hydra.launcher.partition=long"]
    result = sweep(root, SEEDS, *arguments, child=True, PATH=path)
    for environment in is_right(root, result):
        assert not any(key.startswith(("SLURM_", "SUBMITIT_")) for key in environment)
        assert environment["CUDA_VISIBLE_DEVICES"] == "5"  # as SLURM has set it
        assert environment["OMP_NUM_THREADS"] == "8"
    script = (tmp_path / "script.sh").read_text()
    for line in (
        r"--array=0-2%(3|4)", "--gpus-per-node=1", "--cpus-per-task=8", "--time=240", "--mem=32GB",
        "--partition=long", r"--signal=USR2@180", "--nodes=1", "--ntasks-per-node=1",
    ):  # fmt: skip
        assert re.search(rf"^#SBATCH {line}$", script, re.MULTILINE), (line, script)
    resumes(root, *arguments, PATH=path)
