"""However a sweep ends, no child stays, and the same command goes on."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from stub_sweeps import STUB, jobs, starts, sweep

from segmentation.sweep.jobs.names import job_name

ARGUMENTS = ["seed=1,2,3", "checkpoint_minutes=3"]


def begin(root, *arguments, children=1):
    """Start a sweep in a session of its own, as a terminal does; return it once children run."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / STUB), "-m", *ARGUMENTS, *arguments, f"hydra.sweep.dir={root}"],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    before = sum(map(len, starts(root).values()))
    until = time.monotonic() + 120
    while sum(map(len, starts(root).values())) < before + children and time.monotonic() < until:
        time.sleep(0.1)
    return process


def alive(root):
    """Return which children are there still."""
    pids = [start["pid"] for one in starts(root).values() for start in one]
    listed = subprocess.run(
        ["ps", "-o", "pid=,stat=", "-p", ",".join(map(str, pids))], capture_output=True, text=True
    ).stdout.splitlines()
    return [line for line in listed if " Z" not in line]


def gone(root, within=20):
    until = time.monotonic() + within
    while alive(root) and time.monotonic() < until:
        time.sleep(0.2)
    return not alive(root)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_jobs_save_and_says_how_to_go_on(tmp_path, launcher, number, code):
    # A worker that is still importing would die of the signal.
    process = begin(tmp_path, f"launcher={launcher}", children=2 if launcher == "joblib" else 1)
    os.killpg(process.pid, number)  # a terminal's Ctrl-C reaches the workers too
    printed = process.communicate(timeout=120)[0]
    assert process.returncode == code
    assert not alive(tmp_path)
    assert "Traceback" not in printed
    assert {job.state for job in jobs(tmp_path).values()} <= {"interrupted"}  # each child saved
    assert "continue with:" in printed
    assert f"hydra.sweep.dir={tmp_path}" in printed


@pytest.mark.slow
@pytest.mark.parametrize("subdir", ["a/b/${hydra.job.num}", "${hydra:job.num}"])
def test_jobs_in_directories_of_ones_own_are_stopped_and_resumed(tmp_path, subdir):
    process = begin(tmp_path, f"hydra.sweep.subdir={subdir}")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert not alive(tmp_path)
    assert [job.state for job in jobs(tmp_path).values()] == ["interrupted"]
    seconds = ["checkpoint_minutes=3", f"hydra.sweep.subdir={subdir}"]
    result = sweep(tmp_path, "seed=1,2,3", *seconds)
    assert result.returncode == 0, result.stdout
    assert [job.state for job in jobs(tmp_path).values()] == ["finished"] * 3
    (first,) = [start for start in starts(tmp_path).values() if len(start) == 2]
    assert first[1]["argv"][-1].startswith("resume=")


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_at_once(tmp_path):
    process = begin(tmp_path, "checkpoint_minutes=30")
    children = [start["pid"] for one in starts(tmp_path).values() for start in one]
    for child in children:
        os.kill(child, signal.SIGSTOP)  # it never saves
    process.send_signal(signal.SIGINT)
    time.sleep(2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    for child in children:
        os.kill(child, signal.SIGCONT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert gone(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_killed_twice_in_the_middle_and_finished_by_the_same_command(tmp_path, launcher):
    for _ in range(2):
        process = begin(tmp_path, f"launcher={launcher}")
        process.kill()
        process.wait()
        assert gone(tmp_path)  # no orphan trains on
    process = begin(tmp_path, f"launcher={launcher}")
    printed = process.communicate(timeout=120)[0]
    assert process.returncode == 0, printed
    assert "3 jobs: 3 finished" in printed
    assert {job.score for job in jobs(tmp_path).values()} == {0.01, 0.02, 0.03}
    first = starts(tmp_path)[job_name(["seed=1", "checkpoint_minutes=3"])]
    assert len(first) == 3
    assert [start["argv"][-1].split("=")[0] for start in first] == [
        "hydra.run.dir", "resume", "resume",
    ]  # fmt: skip
    assert sum(map(len, starts(tmp_path).values())) <= 3 + 2 * 2  # nothing finished ran again
